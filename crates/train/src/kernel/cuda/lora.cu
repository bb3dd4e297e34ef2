// parts (count, 3): first row, end row, offset into b. b holds (rows of the part, rank) for each part in turn.
// y (rows, parts · rank): each part's block scaled, zeros elsewhere.
extern "C" __global__ void block_diagonal(const float* b, const unsigned* parts, T* y, unsigned count, int width, int rank,
                                          float scale) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  unsigned row = index / width;
  int column = (int)(index % width);
  const unsigned* part = parts + column / rank * 3;
  bool inside = row >= part[0] && row < part[1];
  store(y + index, inside ? scale * b[part[2] + (long long)(row - part[0]) * rank + column % rank] : 0.0f);
}

// The reverse: the diagonal blocks of x (rows, parts · rank), scaled, as b holds them. parts (count, 3).
extern "C" __global__ void diagonal_blocks(const T* x, const unsigned* parts, float* b, unsigned count, int num_parts,
                                           int rank, float scale) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  int p = 0;
  while (p + 1 < num_parts && index >= parts[(p + 1) * 3 + 2]) p++;
  unsigned inner = index - parts[p * 3 + 2];
  size_t row = parts[p * 3] + inner / rank;
  b[index] = scale * load(x + row * num_parts * rank + p * rank + inner % rank);
}

// SplitMix64's finaliser: bits that depend on the seed and the element's index alone.
__device__ __forceinline__ unsigned long long mix(unsigned long long z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

extern "C" __global__ void dropout(const T* x, T* y, long long count, unsigned long long seed, float rate) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  float u = (float)(mix(seed + (unsigned long long)index * 0x9e3779b97f4a7c15ull) >> 40) * (1.0f / 16777216.0f);
  store(y + index, u < rate ? 0.0f : load(x + index) / (1.0f - rate));
}
