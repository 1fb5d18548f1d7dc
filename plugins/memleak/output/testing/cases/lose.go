// A Go program whose C code loses memory.
package main

// #include <stdlib.h>
// static void lose(int size) { volatile char *made = malloc(size); made[0] = 1; }
import "C"

import "time"

func main() {
	for {
		C.lose(500)
		C.free(C.malloc(64))
		time.Sleep(5 * time.Millisecond)
	}
}
