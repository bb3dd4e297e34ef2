// Which keys a query may see: its product's text and its own segment, not later than itself, within the window.
__device__ __forceinline__ bool visible(const unsigned* spans, const unsigned* positions, long long base, int i, int j,
                                        unsigned window) {
  const unsigned* span = spans + (base + i) * 3;
  bool inside = ((unsigned)j >= span[0] && (unsigned)j < span[1]) || (unsigned)j >= span[2];
  return j <= i && inside && positions[base + i] - positions[base + j] < window;
}

// One block a query. scores (batch, heads, length, length) -> probabilities; what is not visible gets 0.
extern "C" __global__ void masked_softmax(const T* scores, const unsigned* spans, const unsigned* positions, T* y, int heads,
                                          int length, float scale, unsigned window) {
  extern __shared__ float row[];
  long long query = blockIdx.x;
  int i = (int)(query % length);
  long long base = query / length / heads * length;
  const T* in = scores + query * length;
  T* out = y + query * length;
  float high = -INFINITY;
  for (int j = threadIdx.x; j <= i; j += blockDim.x) {
    float v = visible(spans, positions, base, i, j, window) ? load(in + j) * scale : -INFINITY;
    row[j] = v;
    high = fmaxf(high, v);
  }
  high = block_max(high);
  float total = 0.0f;
  for (int j = threadIdx.x; j <= i; j += blockDim.x) {
    float v = row[j] == -INFINITY ? 0.0f : expf(row[j] - high);
    row[j] = v;
    total += v;
  }
  float inverse = 1.0f / block_sum(total);
  for (int j = threadIdx.x; j < length; j += blockDim.x) store(out + j, j <= i ? row[j] * inverse : 0.0f);
}

// ds = scale · p · (dp − Σ p·dp), over each query's keys.
extern "C" __global__ void softmax_backward(const T* p, const T* dp, T* ds, int length, float scale) {
  extern __shared__ float row[];
  long long at = (long long)blockIdx.x * length;
  int i = (int)(blockIdx.x % length);
  float total = 0.0f;
  for (int j = threadIdx.x; j <= i; j += blockDim.x) {
    float v = load(p + at + j);
    float g = v * load(dp + at + j);
    row[j] = v;
    total += g;
  }
  total = block_sum(total);
  for (int j = threadIdx.x; j < length; j += blockDim.x) {
    float v = j <= i ? scale * row[j] * (load(dp + at + j) - total) : 0.0f;
    store(ds + at + j, v);
  }
}
