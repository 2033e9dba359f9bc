// Convolutions as they are defined: for those that cuDNN refuses. Sums are in single precision.

struct Convolution {
    Value input, output;
    // Added to the result; its `at` is null if nothing is.
    Value residual;
    // Of one group of channels: (output group, tap, input channel in groups, 8). Else: (output channel, tap, input channel of its group).
    const float *weights;
    // Of every channel, and of those that fill the last group.
    const float *bias;
    Steps kernel, stride, before, dilation;
    int groups;
    Function function;
};

DEVICE inline void finish(const Convolution &a, const Place &at, float sums[GROUP]) {
    if (a.residual.at) {
        float residual[GROUP];
        load(pixel(a.residual, at.batch, at.z, at.y, at.x) + at.group * GROUP, residual);
        for (int i = 0; i < GROUP; i++) sums[i] += residual[i];
    }
    apply_all(a.function, sums);
    store(a.output, at, sums);
}

// Adds what one tap of all input channels gives.
DEVICE inline void add_tap(const Convolution &a, const Stored *from, int tap, int taps, const Place &at, float sums[GROUP]) {
    int out_channels = a.output.channels, in_channels = a.input.channels;
    if (a.groups == 1) {
        int in_groups = groups_of(in_channels);
        const float *weights = a.weights + ((long long)at.group * taps + tap) * in_groups * GROUP * GROUP;
        for (int group = 0; group < in_groups; group++) {
            float values[GROUP];
            load(from + group * GROUP, values);
            for (int i = 0; i < GROUP; i++) {
                for (int o = 0; o < GROUP; o++) sums[o] += values[i] * weights[(group * GROUP + i) * GROUP + o];
            }
        }
        return;
    }
    int in_each = in_channels / a.groups, out_each = out_channels / a.groups;
    for (int o = 0; o < GROUP; o++) {
        int channel = at.group * GROUP + o;
        if (channel >= out_channels) return;
        const float *weights = a.weights + ((long long)channel * taps + tap) * in_each;
        int first = channel / out_each * in_each;
        for (int i = 0; i < in_each; i++) sums[o] += widen(from[first + i]) * weights[i];
    }
}

KERNEL(convolution, Convolution) {
    Place at = place_of(a.output, item);
    float sums[GROUP];
    for (int i = 0; i < GROUP; i++) sums[i] = a.bias[at.group * GROUP + i];
    int taps = a.kernel.z * a.kernel.y * a.kernel.x;
    for (int tap = 0; tap < taps; tap++) {
        int z = at.z * a.stride.z - a.before.z + tap / (a.kernel.y * a.kernel.x) * a.dilation.z;
        int y = at.y * a.stride.y - a.before.y + tap / a.kernel.x % a.kernel.y * a.dilation.y;
        int x = at.x * a.stride.x - a.before.x + tap % a.kernel.x * a.dilation.x;
        if (z < 0 || z >= a.input.depth || y < 0 || y >= a.input.height || x < 0 || x >= a.input.width) continue;
        add_tap(a, pixel(a.input, at.batch, z, y, x), tap, taps, at, sums);
    }
    finish(a, at, sums);
}

// The input position that a tap of a transposed convolution reads; -1 for none.
DEVICE inline int source(int at, int before, int tap, int dilation, int stride, int length) {
    int distance = at + before - tap * dilation;
    if (distance < 0 || distance % stride) return -1;
    return distance / stride < length ? distance / stride : -1;
}

KERNEL(transposed, Convolution) {
    Place at = place_of(a.output, item);
    float sums[GROUP];
    for (int i = 0; i < GROUP; i++) sums[i] = a.bias[at.group * GROUP + i];
    int taps = a.kernel.z * a.kernel.y * a.kernel.x;
    for (int tap = 0; tap < taps; tap++) {
        int z = source(at.z, a.before.z, tap / (a.kernel.y * a.kernel.x), a.dilation.z, a.stride.z, a.input.depth);
        int y = source(at.y, a.before.y, tap / a.kernel.x % a.kernel.y, a.dilation.y, a.stride.y, a.input.height);
        int x = source(at.x, a.before.x, tap % a.kernel.x, a.dilation.x, a.stride.x, a.input.width);
        if (z < 0 || y < 0 || x < 0) continue;
        add_tap(a, pixel(a.input, at.batch, z, y, x), tap, taps, at, sums);
    }
    finish(a, at, sums);
}

// One input channel for each output channel. Weights: (tap, channel in groups).
KERNEL(depthwise, Convolution) {
    Place at = place_of(a.output, item);
    float sums[GROUP];
    for (int i = 0; i < GROUP; i++) sums[i] = a.bias[at.group * GROUP + i];
    int channels = groups_of(a.output.channels) * GROUP;
    const float *weights = a.weights + at.group * GROUP;
    for (int tz = 0; tz < a.kernel.z; tz++) {
        int z = at.z * a.stride.z - a.before.z + tz * a.dilation.z;
        if (z < 0 || z >= a.input.depth) {
            weights += (long long)a.kernel.y * a.kernel.x * channels;
            continue;
        }
        for (int ty = 0; ty < a.kernel.y; ty++) {
            int y = at.y * a.stride.y - a.before.y + ty * a.dilation.y;
            for (int tx = 0; tx < a.kernel.x; tx++, weights += channels) {
                int x = at.x * a.stride.x - a.before.x + tx * a.dilation.x;
                if (y < 0 || y >= a.input.height || x < 0 || x >= a.input.width) continue;
                float values[GROUP];
                load(pixel(a.input, at.batch, z, y, x) + at.group * GROUP, values);
                for (int i = 0; i < GROUP; i++) sums[i] += values[i] * weights[i];
            }
        }
    }
    finish(a, at, sums);
}

struct Shuffle {
    // (batch, depth, height, width, phases x channels): a channel of all phases after one of all phases before it; phases along width first.
    Value input, output;
    Steps stride;
    Function function;
};

// Puts the phases of a transposed convolution whose kernel is its stride in their places.
KERNEL(shuffle, Shuffle) {
    Place at = place_of(a.output, item);
    int phase = (at.z % a.stride.z * a.stride.y + at.y % a.stride.y) * a.stride.x + at.x % a.stride.x;
    int channels = groups_of(a.output.channels) * GROUP;
    const Stored *from = pixel(a.input, at.batch, at.z / a.stride.z, at.y / a.stride.y, at.x / a.stride.x);
    float values[GROUP];
    load(from + phase * channels + at.group * GROUP, values);
    apply_all(a.function, values);
    store(a.output, at, values);
}
