// Declares the kernels for a card: a thread computes an item, or several where a grid cannot have so many threads.
#define DEVICE __device__
#define KERNEL(name, Arguments)                                                                                       \
    __device__ void name##_item(const Arguments &, unsigned);                                                         \
    extern "C" __global__ void name(const __grid_constant__ Arguments arguments, const unsigned items) {              \
        unsigned item = blockIdx.x * blockDim.x + threadIdx.x;                                                        \
        if (item < items) name##_item(arguments, item);                                                               \
    }                                                                                                                 \
    __device__ void name##_item(const Arguments &a, unsigned item)

__device__ inline float bits_to_float(unsigned bits) { return __uint_as_float(bits); }

__device__ inline unsigned float_to_bits(float value) { return __float_as_uint(value); }

__device__ inline float half_to_float(unsigned short half) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
}

__device__ inline unsigned short float_to_half(float value) {
    unsigned short half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
}

__device__ inline void keep_largest(unsigned long long *at, unsigned long long value) { atomicMax(at, value); }
