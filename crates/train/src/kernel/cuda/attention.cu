// Which keys a query may see: its product's text and its own run, not later than itself, within the window.
struct Sight {
  unsigned text_start, text_end, own_start, window, position;
  const unsigned* positions;
  __device__ __forceinline__ bool sees(unsigned j) const {
    bool inside = (j >= text_start && j < text_end) || j >= own_start;
    return inside && (window == NOTHING || position - positions[j] < window);
  }
};

// One warp a query. scores (batch, heads, length, length) -> probabilities; what is not visible gets 0.
extern "C" __global__ void masked_softmax(const T* scores, const unsigned* spans, const unsigned* positions, T* y, int queries,
                                          int heads, int length, float scale, unsigned window) {
  int query = blockIdx.x * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
  if (query >= queries) return;
  int i = query % length;
  long long base = (long long)(query / length / heads) * length;
  const unsigned* span = spans + (base + i) * 3;
  Sight sight = {span[0], span[1], span[2], window, positions[base + i], positions + base};
  const T* in = scores + (long long)query * length;
  T* out = y + (long long)query * length;
  float high = -INFINITY, total = 0.0f;
  for (int j = lane * 4; j <= i; j += 128) {
    float4 v = load4(in + j);
    float four[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int k = 0; k < 4; k++) {
      if (j + k > i || !sight.sees(j + k)) continue;
      float s = four[k] * scale;
      if (s > high) {
        total = total * expf(high - s) + 1.0f;
        high = s;
      } else {
        total += expf(s - high);
      }
    }
  }
  float highest = warp_max(high);
  total = warp_sum(high == -INFINITY ? 0.0f : total * expf(high - highest));
  float inverse = 1.0f / total;
  for (int j = lane * 4; j < length; j += 128) {
    float four[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (j <= i) {
      float4 v = load4(in + j);
      float s[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int k = 0; k < 4; k++)
        if (j + k <= i && sight.sees(j + k)) four[k] = expf(s[k] * scale - highest) * inverse;
    }
    store4(out + j, make_float4(four[0], four[1], four[2], four[3]));
  }
}

// One warp a query. ds = scale · p · (dp − Σ p·dp), over each query's keys.
extern "C" __global__ void softmax_backward(const T* p, const T* dp, T* ds, int queries, int length, float scale) {
  int query = blockIdx.x * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
  if (query >= queries) return;
  int i = query % length;
  long long at = (long long)query * length;
  float total = 0.0f;
  for (int j = lane * 4; j <= i; j += 128) {
    float4 a = load4(p + at + j), b = load4(dp + at + j);
    total += a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
  }
  total = warp_sum(total);
  for (int j = lane * 4; j < length; j += 128) {
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (j <= i) {
      float4 a = load4(p + at + j), b = load4(dp + at + j);
      v = make_float4(scale * a.x * (b.x - total), scale * a.y * (b.y - total), scale * a.z * (b.z - total),
                      scale * a.w * (b.w - total));
    }
    store4(ds + at + j, v);
  }
}
