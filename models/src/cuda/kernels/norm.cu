// What looks at all positions of a tile: normalisations by its own statistics, and residuals from codewords.

struct Norm {
    Value input, output;
    // (batch, chunks, channels in groups)
    double *sums;
    // (batch, channels in groups), as are `scale` and `shift`.
    double *means;
    float *scale, *shift;
    // Of every channel, and of those that fill the last group.
    const float *weight, *bias;
    double epsilon;
    int chunks, groups;
    Function function;
};

// An item is a group of a chunk of positions.
KERNEL(norm_sums, Norm) { sum_chunk(a.input, chunk_of(a.input, a.chunks, item), 0, a.sums + (long long)item * GROUP); }

// The same of squares of distances from the means.
KERNEL(norm_squares, Norm) {
    Chunk chunk = chunk_of(a.input, a.chunks, item);
    const double *means = a.means + ((long long)chunk.batch * groups_of(a.input.channels) + chunk.group) * GROUP;
    sum_chunk(a.input, chunk, means, a.sums + (long long)item * GROUP);
}

// The mean of what was summed, over the positions and the channels of the normalisation's group.
DEVICE inline double mean_of_group(const Norm &a, int batch, int channel) {
    int each = a.input.channels / a.groups, first = channel / each * each;
    double sum = 0.0;
    for (int c = first; c < first + each; c++) sum += sum_of_chunks(a.input, a.sums, a.chunks, batch, c);
    return sum / ((double)a.input.depth * a.input.height * a.input.width * each);
}

// An item is a channel of a tile.
KERNEL(norm_means, Norm) {
    int channels = groups_of(a.input.channels) * GROUP, channel = item % channels;
    a.means[item] = channel < a.input.channels ? mean_of_group(a, item / channels, channel) : 0.0;
}

KERNEL(norm_scales, Norm) {
    int channels = groups_of(a.input.channels) * GROUP, channel = item % channels;
    if (channel >= a.input.channels) {
        a.scale[item] = a.shift[item] = 0.0f;
        return;
    }
    // Distances are from means that were rounded.
    double mean = a.means[item], rounding = mean - (float)mean;
    double variance = mean_of_group(a, item / channels, channel) - rounding * rounding;
    double scale = a.weight[channel] / sqrt((variance > 0.0 || variance != variance ? variance : 0.0) + a.epsilon);
    a.scale[item] = (float)scale;
    a.shift[item] = (float)(a.bias[channel] - mean * scale);
}

KERNEL(norm_scaled, Norm) {
    Place at = place_of(a.output, item);
    int channels = groups_of(a.input.channels) * GROUP;
    float values[GROUP];
    load(pixel(a.input, at.batch, at.z, at.y, at.x) + at.group * GROUP, values);
    for (int i = 0; i < GROUP; i++) {
        long long channel = (long long)at.batch * channels + at.group * GROUP + i;
        values[i] = values[i] * a.scale[channel] + a.shift[channel];
    }
    apply_all(a.function, values);
    store(a.output, at, values);
}

struct Encode {
    Value input, output;
    // (codewords, channels), and of every codeword.
    const float *codewords, *scale;
    // (batch, positions, codewords)
    float *weights;
    // (batch, chunks, codewords, channels)
    double *sums;
    int chunks;
};

// An item is a pixel: how much it belongs to each codeword.
KERNEL(encode_weights, Encode) {
    int count = a.output.channels, channels = a.input.channels;
    const Stored *from = a.input.at + (long long)item * a.input.stride;
    float *weights = a.weights + (long long)item * count;
    float largest = MINUS_INFINITY, sum = 0.0f;
    for (int k = 0; k < count; k++) {
        float squares = 0.0f;
        for (int c = 0; c < channels; c++) {
            float distance = widen(from[c]) - a.codewords[k * channels + c];
            squares += distance * distance;
        }
        weights[k] = a.scale[k] * squares;
        largest = weights[k] > largest ? weights[k] : largest;
    }
    for (int k = 0; k < count; k++) sum += weights[k] = expf(weights[k] - largest);
    for (int k = 0; k < count; k++) weights[k] /= sum;
}

// An item is a channel of a codeword of a chunk of positions.
KERNEL(encode_sums, Encode) {
    int count = a.output.channels, channels = a.input.channels;
    int c = item % channels, k = item / channels % count;
    int chunk = item / channels / count % a.chunks, batch = item / channels / count / a.chunks;
    long long positions = (long long)a.input.depth * a.input.height * a.input.width;
    float codeword = a.codewords[k * channels + c];
    double sum = 0.0;
    for (long long position = positions * chunk / a.chunks; position < positions * (chunk + 1) / a.chunks; position++) {
        long long at = batch * positions + position;
        sum += a.weights[at * count + k] * (widen(a.input.at[at * a.input.stride + c]) - codeword);
    }
    a.sums[item] = sum;
}

// What belongs to a codeword is a channel of the result, which is as wide as the input has channels.
KERNEL(encode, Encode) {
    Place at = place_of(a.output, item);
    int count = a.output.channels, channels = a.input.channels;
    float values[GROUP];
    for (int i = 0; i < GROUP; i++) {
        int k = at.group * GROUP + i;
        double sum = 0.0;
        for (int chunk = 0; k < count && chunk < a.chunks; chunk++) {
            sum += a.sums[(((long long)at.batch * a.chunks + chunk) * count + k) * channels + at.x];
        }
        values[i] = (float)sum;
    }
    store(a.output, at, values);
}
