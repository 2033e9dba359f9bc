// Operators that look at a window, or at another place.

struct PoolWindow {
    Value input, output;
    // 0 is the largest value, 1 the mean with padding as zeros, 2 the mean of the positions inside.
    int kind;
    Steps kernel, stride, before;
};

KERNEL(pool, PoolWindow) {
    Place at = place_of(a.output, item);
    int z0 = at.z * a.stride.z - a.before.z, y0 = at.y * a.stride.y - a.before.y, x0 = at.x * a.stride.x - a.before.x;
    float results[GROUP];
    for (int i = 0; i < GROUP; i++) results[i] = a.kind == 0 ? MINUS_INFINITY : 0.0f;
    int inside = 0;
    for (int z = z0; z < z0 + a.kernel.z; z++) {
        if (z < 0 || z >= a.input.depth) continue;
        for (int y = y0; y < y0 + a.kernel.y; y++) {
            if (y < 0 || y >= a.input.height) continue;
            for (int x = x0; x < x0 + a.kernel.x; x++) {
                if (x < 0 || x >= a.input.width) continue;
                float values[GROUP];
                load(pixel(a.input, at.batch, z, y, x) + at.group * GROUP, values);
                inside++;
                for (int i = 0; i < GROUP; i++) {
                    // What is no number wins.
                    if (a.kind == 0) {
                        results[i] = values[i] > results[i] || values[i] != values[i] ? values[i] : results[i];
                    } else {
                        results[i] += values[i];
                    }
                }
            }
        }
    }
    int count = a.kind == 0 ? 1 : a.kind == 1 ? a.kernel.z * a.kernel.y * a.kernel.x : inside;
    if (count != 1) {
        for (int i = 0; i < GROUP; i++) results[i] /= (float)count;
    }
    store(a.output, at, results);
}

// A chunk of the positions of a tile.
struct Chunk {
    int batch, group;
    long long first, end;
};

// Which group of which chunk an item is.
DEVICE inline Chunk chunk_of(const Value &value, int chunks, unsigned item) {
    int groups = groups_of(value.channels);
    int chunk = item / groups % chunks;
    long long positions = (long long)value.depth * value.height * value.width;
    return {(int)(item / groups / chunks), (int)(item % groups), positions * chunk / chunks, positions * (chunk + 1) / chunks};
}

// The sums of a group over a chunk: of values, or of squares of their distances from the means.
DEVICE inline void sum_chunk(const Value &value, const Chunk &chunk, const double *means, double sums[GROUP]) {
    long long positions = (long long)value.depth * value.height * value.width;
    for (int i = 0; i < GROUP; i++) sums[i] = 0.0;
    for (long long position = chunk.first; position < chunk.end; position++) {
        float values[GROUP];
        load(value.at + (chunk.batch * positions + position) * value.stride + chunk.group * GROUP, values);
        for (int i = 0; i < GROUP; i++) {
            if (means) {
                double distance = values[i] - (float)means[i];
                sums[i] += distance * distance;
            } else {
                sums[i] += values[i];
            }
        }
    }
}

// The sum of a channel over all chunks.
DEVICE inline double sum_of_chunks(const Value &value, const double *sums, int chunks, int batch, int channel) {
    int channels = groups_of(value.channels) * GROUP;
    double sum = 0.0;
    for (int chunk = 0; chunk < chunks; chunk++) sum += sums[((long long)batch * chunks + chunk) * channels + channel];
    return sum;
}

struct Mean {
    Value input, output;
    // (batch, chunks, channels in groups)
    double *sums;
    int chunks;
};

// An item is a group of a chunk of positions.
KERNEL(mean_sums, Mean) { sum_chunk(a.input, chunk_of(a.input, a.chunks, item), 0, a.sums + (long long)item * GROUP); }

KERNEL(mean, Mean) {
    Place at = place_of(a.output, item);
    double positions = (double)a.input.depth * a.input.height * a.input.width;
    float means[GROUP];
    for (int i = 0; i < GROUP; i++) {
        means[i] = (float)(sum_of_chunks(a.input, a.sums, a.chunks, at.batch, at.group * GROUP + i) / positions);
    }
    store(a.output, at, means);
}

struct Bins {
    Value input, output;
};

KERNEL(bins, Bins) {
    Place at = place_of(a.output, item);
    const Value &in = a.input, &out = a.output;
    int z0 = at.z * in.depth / out.depth, z1 = ((at.z + 1) * in.depth + out.depth - 1) / out.depth;
    int y0 = at.y * in.height / out.height, y1 = ((at.y + 1) * in.height + out.height - 1) / out.height;
    int x0 = at.x * in.width / out.width, x1 = ((at.x + 1) * in.width + out.width - 1) / out.width;
    double sums[GROUP];
    for (int i = 0; i < GROUP; i++) sums[i] = 0.0;
    for (int z = z0; z < z1; z++) {
        for (int y = y0; y < y1; y++) {
            for (int x = x0; x < x1; x++) {
                float values[GROUP];
                load(pixel(in, at.batch, z, y, x) + at.group * GROUP, values);
                for (int i = 0; i < GROUP; i++) sums[i] += values[i];
            }
        }
    }
    double count = (double)(z1 - z0) * (y1 - y0) * (x1 - x0);
    float means[GROUP];
    for (int i = 0; i < GROUP; i++) means[i] = (float)(sums[i] / count);
    store(a.output, at, means);
}

struct Unpool {
    // What is put in its place, what was pooled, and the result, as large as that.
    Value values, pooled, output;
    Steps kernel, stride;
};

KERNEL(unpool, Unpool) {
    Place at = place_of(a.output, item);
    int z = at.z / a.stride.z, y = at.y / a.stride.y, x = at.x / a.stride.x;
    int tap_z = at.z % a.stride.z, tap_y = at.y % a.stride.y, tap_x = at.x % a.stride.x;
    float results[GROUP];
    for (int i = 0; i < GROUP; i++) results[i] = 0.0f;
    bool inside = z < a.values.depth && y < a.values.height && x < a.values.width;
    if (inside && tap_z < a.kernel.z && tap_y < a.kernel.y && tap_x < a.kernel.x) {
        float largest[GROUP];
        int place[GROUP];
        for (int i = 0; i < GROUP; i++) largest[i] = MINUS_INFINITY, place[i] = 0;
        for (int tap = 0; tap < a.kernel.z * a.kernel.y * a.kernel.x; tap++) {
            int tz = tap / (a.kernel.y * a.kernel.x), ty = tap / a.kernel.x % a.kernel.y, tx = tap % a.kernel.x;
            float values[GROUP];
            load(pixel(a.pooled, at.batch, z * a.stride.z + tz, y * a.stride.y + ty, x * a.stride.x + tx) + at.group * GROUP,
                 values);
            for (int i = 0; i < GROUP; i++) {
                // The first of equal ones; the last that is no number.
                if (values[i] > largest[i] || values[i] != values[i]) largest[i] = values[i], place[i] = tap;
            }
        }
        int own = (tap_z * a.kernel.y + tap_y) * a.kernel.x + tap_x;
        float values[GROUP];
        load(pixel(a.values, at.batch, z, y, x) + at.group * GROUP, values);
        for (int i = 0; i < GROUP; i++) {
            if (place[i] == own) results[i] = values[i];
        }
    }
    store(a.output, at, results);
}

struct Crop {
    Value input, output;
    Steps before;
};

KERNEL(crop, Crop) {
    Place at = place_of(a.output, item);
    float values[GROUP];
    load(pixel(a.input, at.batch, at.z + a.before.z, at.y + a.before.y, at.x + a.before.x) + at.group * GROUP, values);
    store(a.output, at, values);
}

struct Turn {
    Value input, output;
};

// Of a value one row large: its positions become channels.
KERNEL(turn, Turn) {
    Place at = place_of(a.output, item);
    float values[GROUP];
    for (int i = 0; i < GROUP; i++) {
        int x = at.group * GROUP + i;
        values[i] = x < a.input.width ? widen(pixel(a.input, at.batch, 0, 0, x)[at.x]) : 0.0f;
    }
    store(a.output, at, values);
}

struct Resample {
    Value input, output;
    // Of every output position along each axis.
    const Tap *z, *y, *x;
};

// A group of a value between its positions: along depth first, then height, then width.
DEVICE inline void sample(const Value &value, int batch, const Tap &z, const Tap &y, const Tap &x, int group, float to[GROUP]) {
    for (int right = 0; right < (x.fraction == 0.0f ? 1 : 2); right++) {
        int column = right ? x.high : x.low;
        float line[GROUP];
        for (int lower = 0; lower < (y.fraction == 0.0f ? 1 : 2); lower++) {
            int row = lower ? y.high : y.low;
            float values[GROUP];
            load(pixel(value, batch, z.low, row, column) + group * GROUP, values);
            if (z.fraction != 0.0f) {
                float deeper[GROUP];
                load(pixel(value, batch, z.high, row, column) + group * GROUP, deeper);
                for (int i = 0; i < GROUP; i++) values[i] = blend(values[i], deeper[i], z.fraction);
            }
            for (int i = 0; i < GROUP; i++) line[i] = lower ? blend(line[i], values[i], y.fraction) : values[i];
        }
        for (int i = 0; i < GROUP; i++) to[i] = right ? blend(to[i], line[i], x.fraction) : line[i];
    }
}

KERNEL(resize, Resample) {
    Place at = place_of(a.output, item);
    float values[GROUP];
    sample(a.input, at.batch, a.z[at.z], a.y[at.y], a.x[at.x], at.group, values);
    store(a.output, at, values);
}

struct Pad {
    Value input, output;
    // Of every output position along each axis, the input position that it holds; -1 where it holds the fill.
    const int *z, *y, *x;
    float fill;
};

KERNEL(pad, Pad) {
    Place at = place_of(a.output, item);
    int z = a.z[at.z], y = a.y[at.y], x = a.x[at.x];
    float values[GROUP];
    if (z < 0 || y < 0 || x < 0) {
        for (int i = 0; i < GROUP; i++) values[i] = a.fill;
    } else {
        load(pixel(a.input, at.batch, z, y, x) + at.group * GROUP, values);
    }
    store(a.output, at, values);
}
