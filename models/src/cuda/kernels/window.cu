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

struct Mean {
    Value input, output;
    // (batch, chunks, channels in groups)
    double *sums;
    int chunks;
};

// An item is a group of a chunk of positions.
KERNEL(mean_sums, Mean) {
    int groups = groups_of(a.input.channels);
    int group = item % groups, chunk = item / groups % a.chunks, batch = item / groups / a.chunks;
    long long positions = (long long)a.input.depth * a.input.height * a.input.width;
    long long first = positions * chunk / a.chunks, end = positions * (chunk + 1) / a.chunks;
    double sums[GROUP];
    for (int i = 0; i < GROUP; i++) sums[i] = 0.0;
    for (long long position = first; position < end; position++) {
        float values[GROUP];
        load(a.input.at + (batch * positions + position) * a.input.stride + group * GROUP, values);
        for (int i = 0; i < GROUP; i++) sums[i] += values[i];
    }
    for (int i = 0; i < GROUP; i++) a.sums[(long long)item * GROUP + i] = sums[i];
}

KERNEL(mean, Mean) {
    Place at = place_of(a.output, item);
    int groups = groups_of(a.input.channels);
    double positions = (double)a.input.depth * a.input.height * a.input.width;
    float means[GROUP];
    for (int i = 0; i < GROUP; i++) {
        double sum = 0.0;
        for (int chunk = 0; chunk < a.chunks; chunk++) {
            sum += a.sums[(((long long)at.batch * a.chunks + chunk) * groups + at.group) * GROUP + i];
        }
        means[i] = (float)(sum / positions);
    }
    store(a.output, at, means);
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
