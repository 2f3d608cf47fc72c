// The first program of a guest of the lab, in its initramfs: loads the modules that its disk needs, in the
// order of /modules, mounts the disk, and becomes the system's own init.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void Fail(const char* what) {
  printf("init: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int IsModule(const struct dirent* entry) { return entry->d_name[0] != '.'; }

static void LoadModules(void) {
  struct dirent** entries;
  const int count = scandir("/modules", &entries, IsModule, alphasort);
  if (count < 0 || chdir("/modules") != 0) Fail("/modules");
  for (int i = 0; i < count; ++i) {
    const int file = open(entries[i]->d_name, O_RDONLY | O_CLOEXEC);
    if (file < 0 || (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST))
      Fail(entries[i]->d_name);
    close(file);
  }
}

int main(void) {
  if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0) Fail("/dev");
  LoadModules();
  // The disk appears some time after its driver.
  for (int waited = 0; access("/dev/vda", F_OK) != 0; ++waited) {
    if (waited == 3000) Fail("/dev/vda");
    usleep(10000);
  }
  if (mount("/dev/vda", "/root", "ext4", MS_NOATIME, NULL) != 0) Fail("the disk");
  if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) != 0) Fail("/root/dev");
  if (chdir("/root") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) Fail("/root");
  execl("/sbin/init", "/sbin/init", NULL);
  Fail("/sbin/init");
}
