// Causal attention. Token n of a call sees the cache up to position + n, so queries are independent once all keys and
// values are in place. The query heads that share a key/value head go together, some tokens at a time, as two matrix
// products. Every sum has one order, whatever the tile: scores along d, values along t in VALUE_CHUNKs from position 0.
// So a prompt at once and token by token are equal bit for bit.

/// Query rows (tokens times heads) of a tile, about.
constexpr size_t QUERY_ROWS = 64;
/// Tokens whose values are summed up before they join the others.
constexpr size_t VALUE_CHUNK = 128;

/// Rows of floats [.., width], the first at position `first`. Like all rows of a cache it is called with a key/value
/// head, the positions from .. from + count - 1, and where to put D floats of each, `stride` apart.
struct FloatRows {
  const float* rows;
  size_t first, width, D;
  void operator()(size_t head, size_t from, size_t count, float* to, size_t stride) const {
    const float* row = rows + (from - first) * width + head * D;
    for (size_t t = 0; t < count; t++) std::memcpy(to + t * stride, row + t * width, D * sizeof(float));
  }
};

/// Queries as they are.
struct FloatQueries {
  const float* q;
  void operator()(size_t row, size_t D, float* to) const { std::memcpy(to, q + row * D, D * sizeof(float)); }
};

/// What a call attends to. With blocks of `block` positions, keys of earlier blocks than the query's own are closed,
/// those of its own are open. 0: no blocks, all keys are closed.
template <class Queries, class Closed, class Open, class Values>
struct Source {
  Queries queries;
  Closed closed;
  Open open;
  Values values;
  size_t block;
};

/// Tokens [from, to) of a call and query heads [head, head + heads), whose keys before `split` are closed.
struct QueryTile {
  size_t from, to, head, heads, split;
};

inline size_t scoreStride(const Heads& heads) { return spreadStride(heads.total() + 2 * TILE_COLUMNS); }
inline size_t valueStride(const Heads& heads) { return roundUp(heads.D, TILE_COLUMNS); }

/// Keys as panels and values as rows of valueStride, those that a query of the call sees, unpacked before the tiles start;
/// null where a head has so few tiles that they unpack as they go.
struct Unpacked {
  float* closed = nullptr;  // [K, closedPanels, D, TILE_COLUMNS]
  float* open = nullptr;    // [K, blocks of the call, openPanels, D, TILE_COLUMNS]
  float* values = nullptr;  // [K, total, valueStride]
  size_t closedPanels = 0, openPanels = 0, firstBlock = 0, blocks = 0;
};

/// The panel of `count` keys. `memory` holds that many rows of D floats.
template <class Rows>
void unpackKeys(const Rows& rows, size_t head, size_t from, size_t count, size_t D, float* panel, float* memory) {
  rows(head, from, count, memory, D);
  packPanel(memory, D, true, D, count, panel);
}

template <class Source_>
Unpacked unpackAll(const Call& call, const Heads& heads, const Source_& source) {
  const size_t K = heads.K, total = heads.total(), block = source.block, panel = heads.D * TILE_COLUMNS;
  Unpacked all;
  all.firstBlock = block == 0 ? 0 : heads.position / block;
  all.blocks = block == 0 ? 0 : divideUp(total, block) - all.firstBlock;
  all.openPanels = divideUp(block, TILE_COLUMNS);
  const size_t closed = block == 0 ? total : (all.firstBlock + all.blocks - 1) * block;
  all.closedPanels = divideUp(closed, TILE_COLUMNS);
  const size_t open = all.blocks * all.openPanels, chunks = divideUp(total, VALUE_CHUNK);
  all.closed = scratchOf<float>(call, K * all.closedPanels * panel);
  all.open = scratchOf<float>(call, K * open * panel);
  all.values = scratchOf<float>(call, K * total * valueStride(heads));
  auto* memory = scratchOf<float>(call, threadCount(call) * panel);
  const size_t items = all.closedPanels + open + chunks, first = heads.firstSeen(heads.position);
  parallel(call, K * items, [&](size_t item, unsigned thread) {
    const size_t head = item / items;
    size_t i = item % items;
    float* rows = memory + thread * panel;
    if (i < all.closedPanels) {
      const size_t from = i * TILE_COLUMNS;
      if (from + TILE_COLUMNS <= first) return;
      unpackKeys(source.closed, head, from, smallerSize(TILE_COLUMNS, closed - from), heads.D,
                 all.closed + (head * all.closedPanels + i) * panel, rows);
      return;
    }
    i -= all.closedPanels;
    if (i < open) {
      const size_t begin = (all.firstBlock + i / all.openPanels) * block;
      const size_t from = begin + i % all.openPanels * TILE_COLUMNS;
      const size_t end = smallerSize(smallerSize(begin + block, total), from + TILE_COLUMNS);
      if (from < end && end > first) {
        unpackKeys(source.open, head, from, end - from, heads.D, all.open + (head * open + i) * panel, rows);
      }
      return;
    }
    const size_t from = (i - open) * VALUE_CHUNK;
    if (from + VALUE_CHUNK <= first) return;
    source.values(head, from, smallerSize(VALUE_CHUNK, total - from),
                  all.values + (head * total + from) * valueStride(heads), valueStride(heads));
  });
  return all;
}

/// Scratch of one thread.
struct TileMemory {
  float *scores, *queries, *context, *panel, *rows;
  static size_t floats(const Heads& heads, size_t M) {
    const size_t rows = TILE_COLUMNS > VALUE_CHUNK ? TILE_COLUMNS : VALUE_CHUNK;
    return M * (scoreStride(heads) + heads.D + valueStride(heads)) + heads.D * TILE_COLUMNS + rows * valueStride(heads);
  }
  TileMemory(const Heads& heads, size_t M, float* memory)
      : scores(memory),
        queries(scores + M * scoreStride(heads)),
        context(queries + M * heads.D),
        panel(context + M * valueStride(heads)),
        rows(panel + heads.D * TILE_COLUMNS) {}
};

/// scores[m][t] = q[m] . k[t] for the keys that the queries of the tile see, and some columns more.
template <class Source_>
void scoreTile(const Heads& heads, const Source_& source, const Unpacked& all, const QueryTile& tile_, size_t M,
               const TileMemory& memory) {
  const size_t D = heads.D, count = heads.position + tile_.to, stride = scoreStride(heads), size_ = D * TILE_COLUMNS;
  const size_t head = tile_.head / heads.group(), first = heads.firstSeen(heads.position + tile_.from);
  const auto score = [&](const float* panel, size_t t) {
    tiles(memory.queries, D, panel, TILE_COLUMNS, D, memory.scores + t, stride, M, TILE_COLUMNS, false);
  };
  const bool unpacked = all.closed != nullptr;
  for (size_t t = first / TILE_COLUMNS * TILE_COLUMNS; t < tile_.split; t += TILE_COLUMNS) {
    if (unpacked) {
      score(all.closed + (head * all.closedPanels + t / TILE_COLUMNS) * size_, t);
    } else {
      unpackKeys(source.closed, head, t, smallerSize(TILE_COLUMNS, tile_.split - t), D, memory.panel, memory.rows);
      score(memory.panel, t);
    }
  }
  // They overwrite the columns that a last, incomplete panel left.
  const size_t skipped = first < tile_.split ? 0 : (first - tile_.split) / TILE_COLUMNS * TILE_COLUMNS;
  for (size_t t = tile_.split + skipped; t < count; t += TILE_COLUMNS) {
    if (unpacked) {
      const size_t block = tile_.split / source.block - all.firstBlock, i = (t - tile_.split) / TILE_COLUMNS;
      score(all.open + ((head * all.blocks + block) * all.openPanels + i) * size_, t);
    } else {
      unpackKeys(source.open, head, t, smallerSize(TILE_COLUMNS, count - t), D, memory.panel, memory.rows);
      score(memory.panel, t);
    }
  }
}

/// The chunk of values with which the sums of a tile begin. What its queries do not see of it weighs 0.
inline size_t firstChunk(const Heads& heads, const QueryTile& tile_) {
  return heads.firstSeen(heads.position + tile_.from) / VALUE_CHUNK * VALUE_CHUNK;
}

/// context[m] = sum_t scores[m][t] v[t].
template <class Source_>
void sumValues(const Heads& heads, const Source_& source, const Unpacked& all, const QueryTile& tile_, size_t M,
               const TileMemory& memory) {
  const size_t count = heads.position + tile_.to, stride = valueStride(heads), head = tile_.head / heads.group();
  const size_t first = firstChunk(heads, tile_);
  for (size_t t = first; t < count; t += VALUE_CHUNK) {
    const size_t depth = smallerSize(VALUE_CHUNK, count - t);
    const float* values = memory.rows;
    if (all.values != nullptr) values = all.values + (head * heads.total() + t) * stride;
    else source.values(head, t, depth, memory.rows, stride);
    for (size_t d = 0; d < heads.D; d += TILE_COLUMNS) {
      tiles(memory.scores + t, scoreStride(heads), values + d, stride, depth, memory.context + d, stride, M,
            TILE_COLUMNS, t > first);
    }
  }
}

/// y of one tile.
template <class Source_>
void attendTile(const Heads& heads, const Source_& source, const Unpacked& all, const QueryTile& tile_, float* y,
                const TileMemory& memory) {
  const size_t D = heads.D, M = (tile_.to - tile_.from) * tile_.heads, count = heads.position + tile_.to;
  const auto rowOf = [&](size_t m) {
    return (tile_.from + m / tile_.heads) * heads.H + tile_.head + m % tile_.heads;
  };
  for (size_t m = 0; m < M; m++) source.queries(rowOf(m), D, memory.queries + m * D);
  scoreTile(heads, source, all, tile_, M, memory);
  float inverse[QUERY_ROWS];
  const size_t chunk = firstChunk(heads, tile_), padded = roundUp(count, LANES);
  const bool isCapped = heads.softcap > 0;
  for (size_t m = 0; m < M; m++) {
    const size_t at = heads.position + tile_.from + m / tile_.heads, first = heads.firstSeen(at);
    float* row = memory.scores + m * scoreStride(heads);
    if (isCapped) capRow(row, first / LANES * LANES, padded, heads.scale, heads.softcap);
    inverse[m] = 1 / softmaxRow(row, {first, at + 1, chunk, padded}, isCapped ? 1 : heads.scale);
  }
  sumValues(heads, source, all, tile_, M, memory);
  for (size_t m = 0; m < M; m++) {
    const float* context = memory.context + m * valueStride(heads);
    for (size_t d = 0; d < D; d++) y[rowOf(m) * D + d] = context[d] * inverse[m];
  }
}

/// All heads and tokens. Tiles end where blocks end.
template <class Source_>
void attendAll(const Call& call, const Heads& heads, const Source_& source, float* y) {
  if (heads.N == 0) return;
  const size_t block = source.block, K = heads.K, G = heads.group(), threads = threadCount(call);
  // A group is split where it is large, or where there is too little else to share.
  size_t step = QUERY_ROWS / smallerSize(G, QUERY_ROWS);
  if (block != 0) step = smallerSize(step, block);
  const size_t tilesOfBlock = block == 0 ? 0 : divideUp(block, step);
  const size_t firstBlock = block == 0 ? 0 : heads.position / block;
  const size_t tileCount = block == 0 ? divideUp(heads.N, step)
                                      : (divideUp(heads.total(), block) - firstBlock) * tilesOfBlock;
  const size_t least = heads.N <= step ? divideUp(threads, K) : 1;
  const size_t width = smallerSize(QUERY_ROWS, divideUp(G, smallerSize(least, G))), pieces = divideUp(G, width);
  const Unpacked all = heads.N <= step ? Unpacked{} : unpackAll(call, heads, source);
  const size_t M = step * width, floats = TileMemory::floats(heads, M);
  auto* memory = scratchOf<float>(call, threads * floats);
  parallel(call, tileCount * K * pieces, [&](size_t item, unsigned thread) {
    const size_t t = tileCount - 1 - item / (K * pieces), piece = item % pieces;  // longest first
    QueryTile tile_{t * step, (t + 1) * step, item / pieces % K * G + piece * width, width, 0};
    tile_.heads = smallerSize(width, G - piece * width);
    if (block != 0) {
      tile_.split = (firstBlock + t / tilesOfBlock) * block;
      const size_t begin = tile_.split + t % tilesOfBlock * step;
      const size_t end = smallerSize(begin + step, tile_.split + block);
      if (end <= heads.position) return;
      tile_.from = begin < heads.position ? 0 : begin - heads.position;
      tile_.to = end - heads.position;
    }
    tile_.to = smallerSize(tile_.to, heads.N);
    if (tile_.from >= tile_.to) return;
    if (block == 0) tile_.split = heads.position + tile_.to;
    attendTile(heads, source, all, tile_, y, TileMemory(heads, M, memory + thread * floats));
  });
}

/// Queries, keys and values in float, from position 0.
inline auto floatSource(const Heads& heads, const float* q, const float* keys, const float* values) {
  const FloatRows k{keys, 0, heads.width(), heads.D}, v{values, 0, heads.width(), heads.D};
  return Source<FloatQueries, FloatRows, FloatRows, FloatRows>{{q}, k, k, v, 0};
}

/// attend_f32. Operands q, k, v, keys, values, y; numbers of Heads.
void attend(const Call& call) {
  const Heads heads(call);
  const size_t width = heads.width();
  auto* keys = operand<float>(call, 3);
  auto* values = operand<float>(call, 4);
  std::memcpy(keys + heads.position * width, operand<float>(call, 1), heads.N * width * sizeof(float));
  std::memcpy(values + heads.position * width, operand<float>(call, 2), heads.N * width * sizeof(float));
  attendAll(call, heads, floatSource(heads, operand<float>(call, 0), keys, values), operand<float>(call, 5));
}
