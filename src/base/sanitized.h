/* WEIR_SANITIZED: 1 in a build with AddressSanitizer, which has an allocator of its own and makes
 * system calls beside the program's. */
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_SANITIZED 1
#endif
#endif
#ifndef WEIR_SANITIZED
#define WEIR_SANITIZED 0
#endif
