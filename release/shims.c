// What GCC's static libstdc++ takes from a glibc that is newer than release/go's. A symbol that is missing here fails the build, not the program.
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

// glibc 2.32. False means that there may be several threads, so that shared pointers count atomically.
char __libc_single_threaded = 0;

// glibc 2.36, for std::random_device.
uint32_t arc4random(void) {
	uint32_t value;
	if (getrandom(&value, sizeof value, 0) != sizeof value)
		abort();
	return value;
}

// glibc 2.38. The C23 forms differ only in that they read 0b1 as a binary number, which libstdc++ does not ask for.
long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
long long __isoc23_strtoll(const char *text, char **end, int base) { return strtoll(text, end, base); }
unsigned long long __isoc23_strtoull(const char *text, char **end, int base) { return strtoull(text, end, base); }
