/*
 * QEMU's ivshmem device as a program of the guest has it by VFIO, which gives it BARs and interrupts without
 * a driver of its own; the machine needs an IOMMU for that.
 */
#ifndef GUEST_IVSHMEM_H
#define GUEST_IVSHMEM_H

#include <stddef.h>
#include <stdint.h>

struct ivshmem {
  int device;
  uint64_t registers; /* Where BAR 0 is in the device's file. */
  uint8_t* memory;    /* BAR 2. */
  size_t bytes;
  int interrupt; /* The eventfd of vector 0. */
};

/* Says what failed, and turns the machine off, unless all is well. */
void require(int well, const char* what);

/* Takes the first ivshmem device on bus 0. */
struct ivshmem take_ivshmem(void);

/* The machine's id among the peers. */
uint32_t position(const struct ivshmem* own);

/* Rings vector 0 of a peer, which then sees what was written before. */
void ring(const struct ivshmem* own, uint32_t peer);

/* Waits until vector 0 is rung. */
void wait_until_rung(const struct ivshmem* own);

#endif
