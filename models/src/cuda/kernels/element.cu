// Operators that look at one pixel at a time.

struct Activate {
    Value input, output;
    Function function;
};

KERNEL(activate, Activate) {
    Place at = place_of(a.output, item);
    float values[GROUP];
    load(pixel(a.input, at.batch, at.z, at.y, at.x) + at.group * GROUP, values);
    apply_all(a.function, values);
    store(a.output, at, values);
}

struct Scale {
    Value input, output;
    // Of every channel, and of those that fill the last group.
    const float *scale, *shift;
    Function function;
};

KERNEL(scale, Scale) {
    Place at = place_of(a.output, item);
    float values[GROUP];
    load(pixel(a.input, at.batch, at.z, at.y, at.x) + at.group * GROUP, values);
    for (int i = 0; i < GROUP; i++) {
        int channel = at.group * GROUP + i;
        values[i] = values[i] * a.scale[channel] + a.shift[channel];
    }
    apply_all(a.function, values);
    store(a.output, at, values);
}

struct Bend {
    Value input, output;
    // What negative values are multiplied with: of every channel, and of those that fill the last group.
    const float *slopes;
};

KERNEL(bend, Bend) {
    Place at = place_of(a.output, item);
    float values[GROUP];
    load(pixel(a.input, at.batch, at.z, at.y, at.x) + at.group * GROUP, values);
    for (int i = 0; i < GROUP; i++) {
        if (!(values[i] > 0.0f)) values[i] *= a.slopes[at.group * GROUP + i];
    }
    store(a.output, at, values);
}

struct UnitLength {
    Value input, output;
    const float *weight;
    float epsilon;
    Function function;
};

// An item is a pixel: its channels are divided by the length of their vector.
KERNEL(unit_length, UnitLength) {
    const Stored *from = a.input.at + (long long)item * a.input.stride;
    Stored *to = a.output.at + (long long)item * a.output.stride;
    int channels = a.input.channels;
    float squares = 0.0f;
    for (int c = 0; c < channels; c++) squares += widen(from[c]) * widen(from[c]);
    float factor = 1.0f / sqrtf(squares + a.epsilon);
    for (int c = 0; c < channels; c++) to[c] = narrow(apply(a.function, widen(from[c]) * factor * a.weight[c]));
    for (int c = channels; c < groups_of(channels) * GROUP; c++) to[c] = narrow(0.0f);
}

struct Combine {
    Value first, second, output;
    // 0 is a sum, 1 a product.
    int product;
    Function function;
};

// Channels and axes of length 1 are broadcast.
DEVICE inline void operand(const Value &value, const Place &at, int channels, float to[GROUP]) {
    int z = at.z < value.depth ? at.z : value.depth - 1;
    int y = at.y < value.height ? at.y : value.height - 1;
    int x = at.x < value.width ? at.x : value.width - 1;
    const Stored *from = pixel(value, at.batch, z, y, x);
    if (value.channels == channels) {
        load(from + at.group * GROUP, to);
    } else {
        for (int i = 0; i < GROUP; i++) to[i] = widen(from[0]);
    }
}

KERNEL(combine, Combine) {
    Place at = place_of(a.output, item);
    float first[GROUP], second[GROUP];
    operand(a.first, at, a.output.channels, first);
    operand(a.second, at, a.output.channels, second);
    for (int i = 0; i < GROUP; i++) first[i] = a.product ? first[i] * second[i] : first[i] + second[i];
    apply_all(a.function, first);
    store(a.output, at, first);
}

struct Softmax {
    Value input, output;
};

// An item is a pixel.
KERNEL(softmax, Softmax) {
    const Stored *from = a.input.at + (long long)item * a.input.stride;
    Stored *to = a.output.at + (long long)item * a.output.stride;
    int channels = a.input.channels;
    float largest = MINUS_INFINITY, sum = 0.0f;
    for (int c = 0; c < channels; c++) {
        float value = widen(from[c]);
        largest = value > largest ? value : largest;
    }
    for (int c = 0; c < channels; c++) sum += expf(widen(from[c]) - largest);
    float factor = 1.0f / sum;
    for (int c = 0; c < channels; c++) to[c] = narrow(expf(widen(from[c]) - largest) * factor);
    for (int c = channels; c < groups_of(channels) * GROUP; c++) to[c] = narrow(0.0f);
}

struct Copy {
    Value input, output;
    // The first channel taken, its place in the output, how many, and zeros after them.
    int from, to, count, zeros;
};

// An item is a channel of a pixel: parts of concatenated values begin anywhere.
KERNEL(copy_channels, Copy) {
    int width = a.count + a.zeros;
    int channel = item % width;
    long long position = item / width;
    const Stored *from = a.input.at + position * a.input.stride + a.from;
    a.output.at[position * a.output.stride + a.to + channel] = channel < a.count ? from[channel] : narrow(0.0f);
}

// The same for parts that begin and end between groups: an item is a group.
KERNEL(copy_groups, Copy) {
    int width = a.count / GROUP;
    int group = item % width;
    long long position = item / width;
    const Stored *from = a.input.at + position * a.input.stride + a.from;
    *(Eight *)(a.output.at + position * a.output.stride + a.to + group * GROUP) = *(const Eight *)(from + group * GROUP);
}
