// What all kernels share: values in memory, how they are kept, and how a kernel is declared. A plain subset of CUDA C, which is C++ too: host.h
// makes functions of the kernels, and the tests run them on the processor.
//
// Values are (batch, depth, height, width, channels), kept as STORED: 16 bits in bf16 and f16, 32 in f32 and tf32. The channels of a pixel take
// `stride` values, a multiple of 8: whoever writes a value fills its last group of eight with zeros, for a convolution reads them.

#if defined(SWATH_BF16) || defined(SWATH_F16)
typedef unsigned short Stored;
#else
typedef float Stored;
#endif

#define GROUP 8
#define MINUS_INFINITY bits_to_float(0xff800000u)

struct alignas(16) Eight {
    Stored of[GROUP];
};

struct Value {
    Stored *at;
    int batch, depth, height, width, channels, stride;
};

// One channel of eight, at a position of a value.
struct Place {
    int batch, z, y, x, group;
};

#if defined(SWATH_BF16)
DEVICE inline float widen(Stored value) { return bits_to_float((unsigned)value << 16); }
// To the nearest, to even at a tie; what is no number stays none.
DEVICE inline Stored narrow(float value) {
    unsigned bits = float_to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (Stored)(bits >> 16 | 0x40u);
    return (Stored)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
#elif defined(SWATH_F16)
DEVICE inline float widen(Stored value) { return half_to_float(value); }
DEVICE inline Stored narrow(float value) { return float_to_half(value); }
#else
DEVICE inline float widen(Stored value) { return value; }
DEVICE inline Stored narrow(float value) { return value; }
#endif

DEVICE inline int groups_of(int channels) { return (channels + GROUP - 1) / GROUP; }

// Which group of which pixel an item is: groups first, so that neighbours read what lies side by side.
DEVICE inline Place place_of(const Value &value, unsigned item) {
    Place place;
    unsigned groups = groups_of(value.channels);
    place.group = item % groups;
    item /= groups;
    place.x = item % value.width;
    item /= value.width;
    place.y = item % value.height;
    item /= value.height;
    place.z = item % value.depth;
    place.batch = item / value.depth;
    return place;
}

// The first channel of a pixel.
DEVICE inline Stored *pixel(const Value &value, int batch, int z, int y, int x) {
    long long position = (((long long)batch * value.depth + z) * value.height + y) * value.width + x;
    return value.at + position * value.stride;
}

DEVICE inline void load(const Stored *from, float to[GROUP]) {
    Eight eight = *(const Eight *)from;
    for (int i = 0; i < GROUP; i++) to[i] = widen(eight.of[i]);
}

// Stores a group; zeros beyond the value's channels.
DEVICE inline void store(const Value &value, const Place &place, const float from[GROUP]) {
    Eight eight;
    for (int i = 0; i < GROUP; i++) {
        eight.of[i] = narrow(place.group * GROUP + i < value.channels ? from[i] : 0.0f);
    }
    *(Eight *)(pixel(value, place.batch, place.z, place.y, place.x) + place.group * GROUP) = eight;
}

// What is applied to a result: the kinds are those of `Function` in arguments.rs.
struct Function {
    int kind;
    float a, b;
};

DEVICE inline float hard_sigmoid(float x) {
    x += 3.0f;
    x = x < 0.0f ? 0.0f : x;
    return (x > 6.0f ? 6.0f : x) / 6.0f;
}

DEVICE inline float apply(const Function &function, float x) {
    switch (function.kind) {
    case 1: return x < 0.0f ? 0.0f : x;
    case 2: return x > 0.0f ? x : function.a * x;
    case 3: return 1.0f / (1.0f + expf(-x));
    case 4:
        x = x < function.a ? function.a : x;
        return x > function.b ? function.b : x;
    case 5: return hard_sigmoid(x);
    case 6: return x * hard_sigmoid(x);
    case 7: return x / (1.0f + expf(-x));
    default: return x;
    }
}

DEVICE inline void apply_all(const Function &function, float x[GROUP]) {
    if (function.kind == 0) return;
    for (int i = 0; i < GROUP; i++) x[i] = apply(function, x[i]);
}

// An output position as a mean of two input positions.
struct Tap {
    int low, high;
    float fraction;
};

// An exact zero is no blend, so that a value far away and infinite does not matter.
DEVICE inline float blend(float low, float high, float fraction) {
    return fraction == 0.0f ? low : (1.0f - fraction) * low + fraction * high;
}

// Three integers, one per axis, slowest first.
struct Steps {
    int z, y, x;
};
