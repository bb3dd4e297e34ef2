// `quantize_q4_0_least_error` of hangtag-weights, number by number: every operation rounded by itself, in its order.
__device__ __forceinline__ bool usable(float scale) { return isfinite(scale) && scale != 0.0f; }

__device__ __forceinline__ float level(float value, float inverse) {
  float v = __fadd_rn(__fmul_rn(value, inverse), 8.5f);
  return truncf(fminf(fmaxf(v, 0.0f), 15.0f)) - 8.0f;
}

// One thread a block of 32 of weight + delta, which comes back rounded to Q4_0.
extern "C" __global__ void fake_quantize_q4_0(const float* weight, const float* delta, T* y, long long count) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  float x[32];
  float extreme = 0.0f;
#pragma unroll
  for (int i = 0; i < 32; i += 4) {
    float4 w = *(const float4*)(weight + index * 32 + i), d = *(const float4*)(delta + index * 32 + i);
    x[i] = __fadd_rn(w.x, d.x);
    x[i + 1] = __fadd_rn(w.y, d.y);
    x[i + 2] = __fadd_rn(w.z, d.z);
    x[i + 3] = __fadd_rn(w.w, d.w);
  }
#pragma unroll
  for (int i = 0; i < 32; i++)
    if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
  float best_error = INFINITY, scale = 0.0f, inverse = 0.0f;
  for (int candidate = 0; candidate < 32; candidate++) {
    float divisor = 6.5f + 0.25f * (float)(candidate & 15);
    float d = half_rounded(__fdiv_rn(extreme, candidate < 16 ? -divisor : divisor));
    if (!usable(d)) continue;
    float inv = __fdiv_rn(1.0f, d), error = 0.0f;
#pragma unroll
    for (int i = 0; i < 32; i++) {
      float off = __fsub_rn(x[i], __fmul_rn(d, level(x[i], inv)));
      error = __fadd_rn(error, __fmul_rn(off, off));
    }
    if (error < best_error) {
      best_error = error;
      scale = d;
      inverse = inv;
    }
  }
  if (best_error == INFINITY) {
    // ggml's own rounding of a block of zeros, or of what is no number.
    scale = half_rounded(extreme / -8.0f);
    inverse = extreme == 0.0f ? 0.0f : 1.0f / (extreme / -8.0f);
#pragma unroll
    for (int i = 0; i < 32; i++) store(y + index * 32 + i, scale * level(x[i], inverse));
    return;
  }
  float products = 0.0f, squares = 0.0f, error = 0.0f;
#pragma unroll
  for (int i = 0; i < 32; i++) {
    float l = level(x[i], inverse);
    products = __fadd_rn(products, __fmul_rn(x[i], l));
    squares = __fadd_rn(squares, __fmul_rn(l, l));
  }
  float fitted = half_rounded(__fdiv_rn(products, squares));
  if (squares != 0.0f && usable(fitted)) {
#pragma unroll
    for (int i = 0; i < 32; i++) {
      float off = __fsub_rn(x[i], __fmul_rn(fitted, level(x[i], inverse)));
      error = __fadd_rn(error, __fmul_rn(off, off));
    }
    if (error < best_error) scale = fitted;
  }
#pragma unroll
  for (int i = 0; i < 32; i++) store(y + index * 32 + i, scale * level(x[i], inverse));
}
