# embed(TARGET NAME FILE): compiles a file into the target, as
#     extern const unsigned char NAME[]; extern const size_t NAME_size;
function(embed target name file)
  get_filename_component(file "${file}" ABSOLUTE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  set(source "${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.c")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT
"/* Made from a file of the project: see cmake/embed.cmake. */
#include <stddef.h>
extern const unsigned char @name@[];
extern const size_t @name@_size;
const unsigned char @name@[] = {@bytes@};
const size_t @name@_size = sizeof @name@;
")
  target_sources(${target} PRIVATE "${source}")
endfunction()
