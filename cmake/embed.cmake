# embed(TARGET NAME FILE): compiles a file into the target, as
#     extern const unsigned char NAME[]; extern const size_t NAME_size;
#     extern const char NAME_sha256[];
# The latter in base64, as a content security policy has it.
function(embed target name file)
  get_filename_component(file "${file}" ABSOLUTE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(SHA256 "${file}" hash)
  hex_to_base64(hash "${hash}")
  set(source "${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.c")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT
"/* Made from a file of the project: see cmake/embed.cmake. */
#include <stddef.h>
extern const unsigned char @name@[];
extern const size_t @name@_size;
extern const char @name@_sha256[];
const unsigned char @name@[] = {@bytes@};
const size_t @name@_size = sizeof @name@;
const char @name@_sha256[] = \"@hash@\";
")
  target_sources(${target} PRIVATE "${source}")
endfunction()

# The 32 bytes of a SHA-256, from hexadecimal digits.
function(hex_to_base64 result hex)
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(text "")
  # 3 digits are 2 characters; 2 zeros at the end stand for what is missing, and give the last character, which is '='.
  foreach(place RANGE 0 63 3)
    string(SUBSTRING "${hex}00" ${place} 3 digits)
    math(EXPR first "0x${digits} / 64")
    math(EXPR second "0x${digits} % 64")
    string(SUBSTRING "${alphabet}" ${first} 1 first)
    string(SUBSTRING "${alphabet}" ${second} 1 second)
    string(APPEND text "${first}${second}")
  endforeach()
  string(REGEX REPLACE ".$" "=" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()
