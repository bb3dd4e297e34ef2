// One block a row. logits (rows, words) + bias -> loss (rows) = −weight · log p(target), and its gradient for the logits.
extern "C" __global__ void cross_entropy(const T* logits, const float* bias, const unsigned* targets, const float* weights,
                                         float* loss, T* gradient, int words) {
  long long at = (long long)blockIdx.x * words;
  float high = -INFINITY;
  for (int c = threadIdx.x; c < words; c += blockDim.x) high = fmaxf(high, load(logits + at + c) + (bias ? bias[c] : 0.0f));
  high = block_max(high);
  float total = 0.0f;
  for (int c = threadIdx.x; c < words; c += blockDim.x) total += expf(load(logits + at + c) + (bias ? bias[c] : 0.0f) - high);
  total = block_sum(total);
  int target = (int)targets[blockIdx.x];
  float weight = weights[blockIdx.x];
  for (int c = threadIdx.x; c < words; c += blockDim.x) {
    float p = expf(load(logits + at + c) + (bias ? bias[c] : 0.0f) - high) / total;
    store(gradient + at + c, weight * (p - (c == target ? 1.0f : 0.0f)));
  }
  if (threadIdx.x == 0) {
    float own = load(logits + at + target) + (bias ? bias[target] : 0.0f);
    loss[blockIdx.x] = weight * (logf(total) + high - own);
  }
}

// One block a row. The likeliest word of each row (the first of equals) and the logarithm of its probability.
extern "C" __global__ void likeliest(const T* logits, const float* bias, unsigned* words_out, float* log_probability, int words) {
  long long at = (long long)blockIdx.x * words;
  float high = -INFINITY;
  for (int c = threadIdx.x; c < words; c += blockDim.x) high = fmaxf(high, load(logits + at + c) + (bias ? bias[c] : 0.0f));
  high = block_max(high);
  float total = 0.0f;
  unsigned first = NOTHING;
  for (int c = threadIdx.x; c < words; c += blockDim.x) {
    float v = load(logits + at + c) + (bias ? bias[c] : 0.0f);
    total += expf(v - high);
    if (v == high && (unsigned)c < first) first = c;
  }
  total = block_sum(total);
  __shared__ unsigned lowest;
  if (threadIdx.x == 0) lowest = NOTHING;
  __syncthreads();
  atomicMin(&lowest, first);
  __syncthreads();
  if (threadIdx.x == 0) {
    words_out[blockIdx.x] = lowest;
    log_probability[blockIdx.x] = -logf(total);
  }
}
