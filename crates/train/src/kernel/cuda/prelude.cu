// Shared by all kernels; compiled once with BF16 defined (activations in bf16) and once without (in f32). All sums are f32.
// Elementwise kernels run one thread for four neighbours, so rows are multiples of four long and counts fit 32 bits.
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
__device__ __forceinline__ float4 load4(const T* p) {
  uint2 v = *(const uint2*)p;
  return make_float4(__uint_as_float(v.x << 16), __uint_as_float(v.x & 0xffff0000u), __uint_as_float(v.y << 16),
                     __uint_as_float(v.y & 0xffff0000u));
}
__device__ __forceinline__ unsigned packed(float low, float high) {
  T pair[2];
  store(pair, low);
  store(pair + 1, high);
  return (unsigned)pair[0] | ((unsigned)pair[1] << 16);
}
__device__ __forceinline__ void store4(T* p, float4 v) { *(uint2*)p = make_uint2(packed(v.x, v.y), packed(v.z, v.w)); }
#else
typedef float T;
__device__ __forceinline__ float load(const T* p) { return *p; }
__device__ __forceinline__ float rounded(float v) { return v; }
__device__ __forceinline__ void store(T* p, float v) { *p = v; }
__device__ __forceinline__ float4 load4(const T* p) { return *(const float4*)p; }
__device__ __forceinline__ void store4(T* p, float4 v) { *(float4*)p = v; }
#endif

#define NOTHING 0xffffffffu
// NVRTC has no <math.h>.
#define INFINITY __int_as_float(0x7f800000)

// Sum and maximum over the threads of a warp, known to all of them.
__device__ __forceinline__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}
__device__ __forceinline__ float warp_max(float v) {
  for (int o = 16; o > 0; o >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
  return v;
}

// Sum over the threads of a block, known to all of them. blockDim.x is a multiple of 32, at most 1024.
__device__ __forceinline__ float block_sum(float v) {
  __shared__ float parts[32];
  v = warp_sum(v);
  __syncthreads();
  if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = v;
  __syncthreads();
  float s = 0.0f;
  for (int i = 0; i < (int)(blockDim.x >> 5); i++) s += parts[i];
  return s;
}

__device__ __forceinline__ float block_max(float v) {
  __shared__ float parts[32];
  v = warp_max(v);
  __syncthreads();
  if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = v;
  __syncthreads();
  float s = parts[0];
  for (int i = 1; i < (int)(blockDim.x >> 5); i++) s = fmaxf(s, parts[i]);
  return s;
}
