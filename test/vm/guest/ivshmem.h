/*
 * QEMU's ivshmem device in a program of the guest, through VFIO, which provides BARs and interrupts without a
 * specific driver; the machine needs an IOMMU for that.
 */
#ifndef GUEST_IVSHMEM_H
#define GUEST_IVSHMEM_H

#include <stddef.h>
#include <stdint.h>

struct ivshmem {
  int device;
  uint64_t registers; /* The offset of BAR 0 in the device's file. */
  uint8_t* memory;    /* BAR 2. */
  size_t bytes;
  int interrupt; /* The eventfd of vector 0. */
};

/* If the condition is false, prints what failed and turns the machine off. */
void require(int well, const char* what);

/* Opens the first ivshmem device on bus 0. */
struct ivshmem take_ivshmem(void);

/* The machine's peer id. */
uint32_t position(const struct ivshmem* own);

/* Rings vector 0 of a peer, which then sees all earlier writes. */
void ring(const struct ivshmem* own, uint32_t peer);

/* Waits until vector 0 is rung. */
void wait_until_rung(const struct ivshmem* own);

#endif
