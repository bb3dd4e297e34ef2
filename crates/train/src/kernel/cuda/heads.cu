// The partner of element e in rotation, or e itself where it is not rotated. Sets the angle's index and the sign of sin.
__device__ __forceinline__ int partner(int e, int rotary, int interleaved, int* angle, float* sign) {
  if (e >= rotary) return e;
  if (interleaved) {
    *angle = e >> 1;
    *sign = (e & 1) ? 1.0f : -1.0f;
    return e ^ 1;
  }
  int half = rotary >> 1;
  *angle = e < half ? e : e - half;
  *sign = e < half ? -1.0f : 1.0f;
  return e < half ? e + half : e - half;
}

// qkv (batch · length, (heads + 2 kv_heads) · dim), bias added, rotated -> q (batch, heads, length, dim), k, v (batch, kv_heads, ..).
extern "C" __global__ void split_heads(const T* qkv, const float* bias, const float* cosines, const float* sines,
                                       const unsigned* positions, T* q, T* k, T* v, unsigned count, int length, int heads,
                                       int kv_heads, int dim, int rotary, int interleaved) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  unsigned width = (heads + 2 * kv_heads) * dim, row = index / width;
  int column = (int)(index % width), head = column / dim, e = column % dim;
  float value = load(qkv + index) + (bias ? bias[column] : 0.0f);
  if (head < heads + kv_heads) {
    int angle;
    float sign;
    int other = partner(e, rotary, interleaved, &angle, &sign);
    if (other != e) {
      int at = positions[row] * (rotary / 2) + angle, shift = other - e;
      float mate = load(qkv + index + shift) + (bias ? bias[column + shift] : 0.0f);
      value = value * cosines[at] + sign * mate * sines[at];
    }
  }
  size_t b = row / length, l = row % length;
  if (head < heads) store(q + ((b * heads + head) * length + l) * dim + e, value);
  else if (head < heads + kv_heads) store(k + ((b * kv_heads + head - heads) * length + l) * dim + e, value);
  else store(v + ((b * kv_heads + head - heads - kv_heads) * length + l) * dim + e, value);
}

// The reverse: gradients of q, k and v -> gradient of qkv.
extern "C" __global__ void split_heads_backward(const T* dq, const T* dk, const T* dv, const float* cosines,
                                                const float* sines, const unsigned* positions, T* dqkv, long long count,
                                                int length, int heads, int kv_heads, int dim, int rotary, int interleaved) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  unsigned width = (heads + 2 * kv_heads) * dim, row = index / width;
  int column = (int)(index % width), head = column / dim, e = column % dim;
  size_t b = row / length, l = row % length;
  const T* source;
  if (head < heads) source = dq + ((b * heads + head) * length + l) * dim;
  else if (head < heads + kv_heads) source = dk + ((b * kv_heads + head - heads) * length + l) * dim;
  else source = dv + ((b * kv_heads + head - heads - kv_heads) * length + l) * dim;
  float value = load(source + e);
  if (head < heads + kv_heads) {
    int angle;
    float sign;
    int other = partner(e, rotary, interleaved, &angle, &sign);
    if (other != e) {
      int at = positions[row] * (rotary / 2) + angle;
      value = value * cosines[at] - sign * load(source + other) * sines[at];
    }
  }
  store(dqkv + index, value);
}

// (batch, heads, length, dim) -> (batch · length, heads · dim), or back.
__device__ __forceinline__ size_t apart(unsigned index, int length, int heads, int dim) {
  unsigned width = heads * dim, row = index / width, column = index % width;
  return ((size_t)(row / length * heads + column / dim) * length + row % length) * dim + column % dim;
}

extern "C" __global__ void merge_heads(const T* x, T* y, unsigned count, int length, int heads, int dim) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index < count) y[index] = x[apart(index, length, heads, dim)];
}

extern "C" __global__ void merge_heads_backward(const T* dy, T* dx, unsigned count, int length, int heads, int dim) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index < count) dx[apart(index, length, heads, dim)] = dy[index];
}
