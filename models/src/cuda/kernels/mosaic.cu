// Stitching on the card: rows of weighted sums that roll down the scene, and what becomes of those that no later tile touches.

struct Rows {
    // (channels + 1, rows, width): sums of weighted scores, and of weights. Row y of the scene is row y % rows here.
    float *sums;
    // (rows, width): whether each pixel is valid.
    unsigned char *valid;
    int channels, rows, width;
};

struct Accumulate {
    Head head;
    Rows rows;
    // (height, width) of a tile; null where overlaps are cut: then only the pixels from `first` to `end` count, and each once.
    const float *weights;
    // Of the tile's input: (height, width), the row that the scores begin in, and the column.
    const unsigned char *valid;
    int valid_width, valid_y, valid_x;
    // Which tile of the batch, whether it was computed, its extent, and where it lies: in the scene, from the first column of the rows on.
    int batch, runs, height, width;
    int y, x;
    int first_y, first_x, end_y, end_x;
};

// An item is a pixel of the tile. Tiles are added one after the other, in grid order.
KERNEL(accumulate, Accumulate) {
    int x = item % a.width, y = item / a.width;
    if (!a.weights && (y < a.first_y || y >= a.end_y || x < a.first_x || x >= a.end_x)) return;
    float weight = a.weights ? a.weights[item] : 1.0f;
    long long plane = (long long)a.rows.rows * a.rows.width;
    long long at = (long long)((a.y + y) % a.rows.rows) * a.rows.width + a.x + x;
    a.rows.valid[at] = a.valid[(long long)(a.valid_y + y) * a.valid_width + a.valid_x + x];
    if (!a.runs) return;
    Softened soft = {0.0f, 0.0f};
    if (a.head.softmax) soft = soften(a.head, a.batch, 0, y, x);
    for (int group = 0; group < groups_of(a.head.channels); group++) {
        float scores[GROUP];
        scores_of(a.head, soft, a.batch, 0, y, x, group, scores);
        for (int i = 0; i < GROUP; i++) {
            int channel = group * GROUP + i;
            if (channel < a.head.channels) a.rows.sums[channel * plane + at] += scores[i] * weight;
        }
    }
    a.rows.sums[a.head.channels * plane + at] += weight;
}

struct Label {
    Rows rows;
    // The part that is finished: rows of the scene, columns from the first one of the rows on.
    int y, x, height, width;
    // Of every class: its label, and whether it may be given.
    const unsigned char *values, *kept;
    int classes;
    unsigned char nodata;
    // (height, width): labels; null where they are not wanted.
    unsigned char *labels;
    // (height, width): the label's probability in steps of 1/254, 255 for none; null where it is not wanted.
    unsigned char *confidence;
    // (channels, height, width): probabilities; null where they are not wanted.
    float *scores;
    // (height, width)
    unsigned char *valid;
    // Of the first valid pixel without a finite score, in the order of rows: the complement of pixel, channel and kind as one number, where the kind
    // is 0 for no number, 1 and 2 for infinite ones; 0 if there is none.
    unsigned long long *wrong;
};

// An item is a pixel of the finished part.
KERNEL(label, Label) {
    int x = item % a.width, y = item / a.width;
    long long plane = (long long)a.rows.rows * a.rows.width;
    long long at = (long long)((a.y + y) % a.rows.rows) * a.rows.width + a.x + x;
    bool valid = a.rows.valid[at];
    float weight = a.rows.sums[a.rows.channels * plane + at];
    float best = MINUS_INFINITY;
    unsigned char value = a.nodata;
    for (int channel = 0; channel < a.rows.channels; channel++) {
        float score = a.rows.sums[channel * plane + at] / weight;
        if (valid && !(score - score == 0.0f)) {
            unsigned long long place = (unsigned long long)item * a.rows.channels + channel;
            keep_largest(a.wrong, ~(place * 4 + (score != score ? 0 : score > 0.0f ? 1 : 2)));
        }
        if (a.scores) a.scores[((long long)channel * a.height + y) * a.width + x] = score;
        if (a.rows.channels == 1) {
            // One score is the probability of the second of two classes.
            for (int class_of = 0; class_of < a.classes; class_of++) {
                float p = class_of == 0 ? 1.0f - score : score;
                if (a.kept[class_of] && p > best) best = p, value = a.values[class_of];
            }
        } else if (a.kept[channel] && score > best) {
            best = score, value = a.values[channel];
        }
    }
    a.valid[item] = valid;
    if (a.labels) a.labels[item] = valid ? value : a.nodata;
    if (a.confidence) {
        // Sums of weights round: what is above 1 by less than they do is 1.
        float p = best < 0.0f ? 0.0f : best > 1.0f ? 1.0f : best;
        a.confidence[item] = valid ? (unsigned char)(254.0f * p + 0.5f) : 255;
    }
}

struct Forget {
    Rows rows;
    // Rows of the scene, over the whole width.
    int y, height;
};

// An item is a pixel of rows that are finished: they become zeros for those to come.
KERNEL(forget, Forget) {
    int x = item % a.rows.width, y = item / a.rows.width;
    long long plane = (long long)a.rows.rows * a.rows.width;
    long long at = (long long)((a.y + y) % a.rows.rows) * a.rows.width + x;
    for (int channel = 0; channel <= a.rows.channels; channel++) a.rows.sums[channel * plane + at] = 0.0f;
    a.rows.valid[at] = 0;
}
