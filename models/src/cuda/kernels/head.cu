// The end of a network: maps resized, summed and turned into probabilities, which become scores of a tile or are added to a mosaic.

// A map of scores, resized to the scores' extent where it has taps.
struct Map {
    Value value;
    const Tap *z, *y, *x;
};

struct Head {
    const Map *maps;
    int count, channels;
    // Softmax over the channels, else a function of each.
    int softmax;
    Function function;
};

DEVICE inline void sum_of_maps(const Head &head, int batch, int z, int y, int x, int group, float sums[GROUP]) {
    for (int m = 0; m < head.count; m++) {
        const Map &map = head.maps[m];
        float values[GROUP];
        if (map.z) {
            sample(map.value, batch, map.z[z], map.y[y], map.x[x], group, values);
        } else {
            load(pixel(map.value, batch, z, y, x) + group * GROUP, values);
        }
        for (int i = 0; i < GROUP; i++) sums[i] = m ? sums[i] + values[i] : values[i];
    }
}

// What the exponentials of a pixel are divided by, and what is taken from their exponents.
struct Softened {
    float largest, factor;
};

DEVICE inline Softened soften(const Head &head, int batch, int z, int y, int x) {
    Softened soft = {MINUS_INFINITY, 0.0f};
    int groups = groups_of(head.channels);
    float sums[GROUP];
    for (int group = 0; group < groups; group++) {
        sum_of_maps(head, batch, z, y, x, group, sums);
        for (int i = 0; i < GROUP; i++) {
            if (group * GROUP + i < head.channels && sums[i] > soft.largest) soft.largest = sums[i];
        }
    }
    float sum = 0.0f;
    for (int group = 0; group < groups; group++) {
        if (groups > 1) sum_of_maps(head, batch, z, y, x, group, sums);
        for (int i = 0; i < GROUP; i++) {
            if (group * GROUP + i < head.channels) sum += expf(sums[i] - soft.largest);
        }
    }
    soft.factor = 1.0f / sum;
    return soft;
}

// The scores of a group of a pixel.
DEVICE inline void scores_of(const Head &head, const Softened &soft, int batch, int z, int y, int x, int group, float to[GROUP]) {
    sum_of_maps(head, batch, z, y, x, group, to);
    if (head.softmax) {
        for (int i = 0; i < GROUP; i++) to[i] = expf(to[i] - soft.largest) * soft.factor;
    } else {
        apply_all(head.function, to);
    }
}

struct HeadScores {
    Head head;
    // (batch, channels, depth, height, width)
    float *scores;
    int depth, height, width;
};

// An item is a pixel.
KERNEL(head_scores, HeadScores) {
    int x = item % a.width, y = item / a.width % a.height;
    int z = item / a.width / a.height % a.depth, batch = item / a.width / a.height / a.depth;
    long long positions = (long long)a.depth * a.height * a.width;
    Softened soft = {0.0f, 0.0f};
    if (a.head.softmax) soft = soften(a.head, batch, z, y, x);
    for (int group = 0; group < groups_of(a.head.channels); group++) {
        float scores[GROUP];
        scores_of(a.head, soft, batch, z, y, x, group, scores);
        for (int i = 0; i < GROUP; i++) {
            int channel = group * GROUP + i;
            if (channel < a.head.channels) {
                long long plane = (long long)batch * a.head.channels + channel;
                a.scores[plane * positions + ((long long)z * a.height + y) * a.width + x] = scores[i];
            }
        }
    }
}
