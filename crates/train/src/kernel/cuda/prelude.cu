// Shared by all kernels; compiled once with BF16 defined (activations in bf16) and once without (in f32). All sums are f32.
#ifdef BF16
typedef unsigned short T;
__device__ __forceinline__ float load(const T* p) { return __uint_as_float(((unsigned)*p) << 16); }
__device__ __forceinline__ float rounded(float v) {
  unsigned u = __float_as_uint(v);
  if (v != v) return v;
  return __uint_as_float((u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u);
}
__device__ __forceinline__ void store(T* p, float v) {
  *p = (v != v) ? (T)0x7fc0 : (T)(__float_as_uint(rounded(v)) >> 16);
}
#else
typedef float T;
__device__ __forceinline__ float load(const T* p) { return *p; }
__device__ __forceinline__ float rounded(float v) { return v; }
__device__ __forceinline__ void store(T* p, float v) { *p = v; }
#endif

#define NOTHING 0xffffffffu
// NVRTC has no <math.h>.
#define INFINITY __int_as_float(0x7f800000)

// Sum over the threads of a block, known to all of them. blockDim.x is a multiple of 32, at most 1024.
__device__ __forceinline__ float block_sum(float v) {
  __shared__ float parts[32];
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  __syncthreads();
  if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = v;
  __syncthreads();
  float s = 0.0f;
  for (int i = 0; i < (int)(blockDim.x >> 5); i++) s += parts[i];
  return s;
}

__device__ __forceinline__ float block_max(float v) {
  __shared__ float parts[32];
  for (int o = 16; o > 0; o >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
  __syncthreads();
  if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = v;
  __syncthreads();
  float s = parts[0];
  for (int i = 1; i < (int)(blockDim.x >> 5); i++) s = fmaxf(s, parts[i]);
  return s;
}
