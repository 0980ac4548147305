# Writes OUT: the texts FILES (with commas between) as sdk/built_in_artifacts.h declares them.
string(REPLACE "," ";" files "${FILES}")
set(rows "")
set(count 0)
foreach(file IN LISTS files)
  file(READ "${file}" text)
  get_filename_component(name "${file}" NAME)
  string(APPEND rows "    {\"${name}\", R\"artifacts(${text})artifacts\"},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE "${OUT}" "// Made by the build from backend/artifacts.
#include \"backend/sdk/built_in_artifacts.h\"

namespace holdfast::sdk {
namespace {

constexpr BuiltInArtifacts kFiles[${count}] = {
${rows}};

}  // namespace

const std::span<const BuiltInArtifacts> kBuiltInArtifacts(kFiles);

}  // namespace holdfast::sdk
")
