// Makes C++ functions of the kernels: `name(arguments, items)` computes the items one after the other.
#include <cmath>
#include <cstring>

#define DEVICE static
#define KERNEL(name, Arguments)                                                                                       \
    static void name##_item(const Arguments &, unsigned);                                                             \
    extern "C" unsigned name##_bytes() { return sizeof(Arguments); }                                                  \
    extern "C" void name(const void *arguments, unsigned items) {                                                     \
        for (unsigned item = 0; item < items; item++) name##_item(*(const Arguments *)arguments, item);               \
    }                                                                                                                 \
    static void name##_item(const Arguments &a, unsigned item)

static inline float bits_to_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

static inline unsigned float_to_bits(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

// IEEE 754 half precision, to the nearest, to even at a tie.
static inline float half_to_float(unsigned short half) {
    unsigned sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ffu;
    if (exponent == 31) return bits_to_float(sign | 0x7f800000u | mantissa << 13);
    float magnitude = exponent ? std::ldexp(1024.0f + mantissa, (int)exponent - 25) : std::ldexp((float)mantissa, -24);
    return bits_to_float(sign | float_to_bits(magnitude));
}

static inline unsigned short float_to_half(float value) {
    unsigned sign = float_to_bits(value) >> 16 & 0x8000u;
    float magnitude = std::fabs(value);
    if (std::isnan(value)) return (unsigned short)(sign | 0x7e00u);
    if (magnitude == 0.0f) return (unsigned short)sign;
    if (magnitude >= 65520.0f) return (unsigned short)(sign | 0x7c00u);
    int exponent;
    std::frexp(magnitude, &exponent);
    int scale = exponent - 11 < -24 ? -24 : exponent - 11;
    // Rounded to a multiple of the format's step there; the mode is to even at a tie.
    unsigned steps = (unsigned)std::nearbyint(std::ldexp(magnitude, -scale));
    unsigned bits = scale == -24 ? steps : ((unsigned)(scale + 25) << 10) + (steps - 1024u);
    return (unsigned short)(sign | bits);
}

static inline void keep_largest(unsigned long long *at, unsigned long long value) {
    if (value > *at) *at = value;
}
