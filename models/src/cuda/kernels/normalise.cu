// Pixels as they were read become the network's input.

// How one band is scaled; the kinds are those of `BandScaling` in arguments.rs.
struct BandScaling {
    long long kind;
    double a, b;
};

struct Normalise {
    // (batch, bands, depth, height, width)
    const void *pixels;
    // (batch, depth, height, width): 0 where a pixel is not valid and seen as zeros; null if all are.
    const unsigned char *valid;
    const BandScaling *scaling;
    Value output;
};

// In double precision, as on the processor.
DEVICE inline float scale_band(const BandScaling &scaling, float value) {
    double x = value;
    switch (scaling.kind) {
    case 1: return (float)((x - scaling.a) / scaling.b);
    case 2: return (float)(x < scaling.a ? scaling.a : x > scaling.b ? scaling.b : x);
    default: return value;
    }
}

template <typename T>
DEVICE inline void normalise(const Normalise &a, unsigned item) {
    Place at = place_of(a.output, item);
    long long positions = (long long)a.output.depth * a.output.height * a.output.width;
    long long position = ((long long)at.z * a.output.height + at.y) * a.output.width + at.x;
    bool valid = !a.valid || a.valid[at.batch * positions + position];
    float values[GROUP];
    for (int i = 0; i < GROUP; i++) {
        int band = at.group * GROUP + i;
        values[i] = 0.0f;
        if (valid && band < a.output.channels) {
            const T *plane = (const T *)a.pixels + ((long long)at.batch * a.output.channels + band) * positions;
            values[i] = scale_band(a.scaling[band], (float)plane[position]);
        }
    }
    store(a.output, at, values);
}

KERNEL(normalise_u8, Normalise) { normalise<unsigned char>(a, item); }
KERNEL(normalise_u16, Normalise) { normalise<unsigned short>(a, item); }
KERNEL(normalise_i16, Normalise) { normalise<short>(a, item); }
KERNEL(normalise_f32, Normalise) { normalise<float>(a, item); }
