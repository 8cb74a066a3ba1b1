/* The few C functions that ai.onnxruntime's JNI library wants, under the names and versions that Android's libc gives
   them, so that it loads on a desktop JVM. The single @ keeps our own calls out of it: they reach glibc. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

int __cxa_atexit(void (*)(void *), void *, void *);
void __cxa_finalize(void *);
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
void __stack_chk_fail(void) __attribute__((noreturn));

#define AS(name) __asm__(".symver android_" #name ", " #name "@LIBC");

AS(malloc) void *android_malloc(size_t size) { return malloc(size); }
AS(realloc) void *android_realloc(void *old, size_t size) { return realloc(old, size); }
AS(free) void android_free(void *memory) { free(memory); }
AS(memcpy) void *android_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
AS(strlen) size_t android_strlen(const char *text) { return strlen(text); }
AS(dlclose) int android_dlclose(void *library) { return dlclose(library); }
AS(__cxa_atexit) int android___cxa_atexit(void (*f)(void *), void *a, void *d) { return __cxa_atexit(f, a, d); }
AS(__cxa_finalize) void android___cxa_finalize(void *d) { __cxa_finalize(d); }
AS(__register_atfork) int android___register_atfork(void (*a)(void), void (*b)(void), void (*c)(void), void *d) {
    return __register_atfork(a, b, c, d);
}
AS(__stack_chk_fail) void android___stack_chk_fail(void) { __stack_chk_fail(); }
