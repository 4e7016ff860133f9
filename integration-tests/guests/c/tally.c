// Counts money. The component model's canonical ABI, by hand: what `wit-bindgen c` would write for so small a world.

#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define INTERFACE "test:tally/tally@1.0.0#"

// Every call has a fresh instance: what was given is never given back.
static uint8_t heap[1 << 16];
static size_t used;

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_bytes, size_t align, size_t bytes) {
    (void)old, (void)old_bytes;
    used = (used + align - 1) & ~(align - 1);
    if (bytes > sizeof heap - used) __builtin_trap();
    void *given = heap + used;
    used += bytes;
    return given;
}

EXPORT(INTERFACE "total")
uint64_t total(const uint32_t *cents, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += cents[i];
    return sum;
}

struct string {
    const char *text;
    size_t bytes;
};

EXPORT(INTERFACE "label")
struct string *label(uint32_t cents) {
    static char text[] = "0000000000.00 EUR";
    static struct string result;
    size_t at = 13;
    for (int digit = 0; digit < 3 || cents > 0; digit++) {
        if (digit == 2) at--; // over the point
        text[--at] = '0' + cents % 10;
        cents /= 10;
    }
    result.text = text + at;
    result.bytes = sizeof text - 1 - at;
    return &result;
}
