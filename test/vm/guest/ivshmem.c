/*
 * How a program accesses a device: its driver is set to vfio-pci, the device's IOMMU group is opened, and the
 * device through it (Documentation/driver-api/vfio.rst of Linux). BAR 2 is mapped; the registers in BAR 0,
 * which is smaller than a page, are read and written through the device's file.
 */
#include "ivshmem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VENDOR = 0x1af4, DEVICE = 0x1110, SLOTS = 32 };
/* Registers in BAR 0. */
enum { IV_POSITION = 8, DOORBELL = 12 };
/* A value with which the memory does not start by chance. */
static const uint64_t WORD = 0x6b6e69737473756d;

static void write_file(const char* path, const char* text) {
  int fd = open(path, O_WRONLY);
  require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
  close(fd);
}

static unsigned read_number(const char* path) {
  unsigned value = 0;
  FILE* file = fopen(path, "r");
  if (file && fscanf(file, "%x", &value) != 1) value = 0;
  if (file) fclose(file);
  return value;
}

/* The address of the first ivshmem device on bus 0, such as 0000:00:02.0. */
static void find_device(char* address, size_t size) {
  char path[96];
  for (int slot = 0; slot < SLOTS; slot += 1) {
    snprintf(address, size, "0000:00:%02x.0", slot);
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vendor", address);
    if (read_number(path) != VENDOR) continue;
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/device", address);
    if (read_number(path) == DEVICE) return;
  }
  errno = ENODEV;
  require(0, "an ivshmem device");
}

/* The device's file, through its IOMMU group. */
static int open_device(const char* address) {
  char path[96], link[256];
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/driver_override", address);
  write_file(path, "vfio-pci");
  write_file("/sys/bus/pci/drivers_probe", address);
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/iommu_group", address);
  ssize_t length = readlink(path, link, sizeof link - 1);
  require(length > 0, "an IOMMU group");
  link[length] = '\0';
  snprintf(path, sizeof path, "/dev/vfio/%d", atoi(strrchr(link, '/') + 1));
  int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
  int group = open(path, O_RDWR | O_CLOEXEC);
  require(container >= 0 && group >= 0, path);
  require(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) == 0, "VFIO_GROUP_SET_CONTAINER");
  require(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0, "VFIO_SET_IOMMU");
  int device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);
  require(device >= 0, "VFIO_GROUP_GET_DEVICE_FD");
  return device;
}

static struct vfio_region_info region(int device, unsigned index) {
  struct vfio_region_info info = {.argsz = sizeof info, .index = index};
  require(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) == 0, "VFIO_DEVICE_GET_REGION_INFO");
  return info;
}

/* The device signals an interrupt by a write to memory, for which it must be a bus master. */
static int enable_interrupt(int device) {
  uint64_t command_at = region(device, VFIO_PCI_CONFIG_REGION_INDEX).offset + PCI_COMMAND;
  uint16_t command = 0;
  require(pread(device, &command, sizeof command, command_at) == sizeof command, "reading PCI_COMMAND");
  command |= PCI_COMMAND_MASTER;
  require(pwrite(device, &command, sizeof command, command_at) == sizeof command, "writing PCI_COMMAND");
  struct {
    struct vfio_irq_set set;
    int32_t fd;
  } irq = {.set = {.argsz = sizeof irq,
                   .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                   .index = VFIO_PCI_MSIX_IRQ_INDEX,
                   .count = 1},
           .fd = eventfd(0, EFD_CLOEXEC)};
  require(irq.fd >= 0 && ioctl(device, VFIO_DEVICE_SET_IRQS, &irq) == 0, "VFIO_DEVICE_SET_IRQS");
  return irq.fd;
}

/*
 * The second way to access the memory, which needs no driver and has no interrupts: writes this word to its
 * start.
 */
static void write_by_sysfs(const char* address, uint64_t word) {
  char path[96];
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/enable", address);
  write_file(path, "1");
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/resource2_wc", address);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  uint64_t* memory = mmap(NULL, sizeof word, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  require(fd >= 0 && memory != MAP_FAILED, path);
  *memory = word;
  munmap(memory, sizeof word);
  close(fd);
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/enable", address);
  write_file(path, "0");
}

struct ivshmem take_ivshmem(void) {
  char address[32];
  find_device(address, sizeof address);
  write_by_sysfs(address, WORD);
  struct ivshmem own = {.device = open_device(address)};
  own.registers = region(own.device, VFIO_PCI_BAR0_REGION_INDEX).offset;
  struct vfio_region_info bar2 = region(own.device, VFIO_PCI_BAR2_REGION_INDEX);
  own.bytes = bar2.size;
  own.memory = mmap(NULL, bar2.size, PROT_READ | PROT_WRITE, MAP_SHARED, own.device, bar2.offset);
  require(own.memory != MAP_FAILED, "mapping BAR 2");
  errno = EIO;
  require(*(uint64_t*)own.memory == WORD, "what was written by sysfs");
  own.interrupt = enable_interrupt(own.device);
  return own;
}

uint32_t position(const struct ivshmem* own) {
  uint32_t id = 0;
  require(pread(own->device, &id, sizeof id, own->registers + IV_POSITION) == sizeof id,
          "reading IVPosition");
  return id;
}

void ring(const struct ivshmem* own, uint32_t peer) {
  uint32_t bell = peer << 16; /* Vector 0. */
  __sync_synchronize();       /* Earlier writes must be visible before the other side reads. */
  require(pwrite(own->device, &bell, sizeof bell, own->registers + DOORBELL) == sizeof bell, "ringing");
}

void wait_until_rung(const struct ivshmem* own) {
  uint64_t count = 0;
  require(read(own->interrupt, &count, sizeof count) == sizeof count, "waiting for an interrupt");
}
