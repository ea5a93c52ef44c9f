# What is installed, and the packages that `cpack` makes of it: rehearse (the program) and librehearse-dev (its C++ face), as .deb, and
# both in one .tar.gz.

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME program)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # a package needs no tests
include(GNUInstallDirs)

# -- the program with its manual, completions, documents and schemas

set(shared ${PROJECT_BINARY_DIR}/share)
add_custom_command(OUTPUT ${shared}/rehearse.1.gz ${shared}/rehearse.bash ${shared}/_rehearse ${shared}/rehearse.fish VERBATIM
  COMMAND ${CMAKE_COMMAND} -E make_directory ${shared}
  COMMAND rehearse manual | gzip -9n > ${shared}/rehearse.1.gz
  COMMAND rehearse completion bash > ${shared}/rehearse.bash
  COMMAND rehearse completion zsh > ${shared}/_rehearse
  COMMAND rehearse completion fish > ${shared}/rehearse.fish
  DEPENDS rehearse)
add_custom_target(manual ALL DEPENDS ${shared}/rehearse.1.gz)

install(TARGETS rehearse COMPONENT program)
install(FILES ${shared}/rehearse.1.gz DESTINATION share/man/man1 COMPONENT program)
install(FILES ${shared}/rehearse.bash DESTINATION share/bash-completion/completions RENAME rehearse COMPONENT program)
install(FILES ${shared}/_rehearse DESTINATION share/zsh/vendor-completions COMPONENT program)
install(FILES ${shared}/rehearse.fish DESTINATION share/fish/vendor_completions.d COMPONENT program)
install(FILES README.md ARCHITECTURE.md CHANGELOG.md THIRD_PARTY.md LICENSE reports/page/licences.txt
  DESTINATION share/doc/rehearse COMPONENT program)
install(DIRECTORY doc/ DESTINATION share/doc/rehearse/doc COMPONENT program)
install(DIRECTORY ci/templates/ DESTINATION share/doc/rehearse/templates COMPONENT program PATTERN "*_test*" EXCLUDE)
install(FILES cmake/copyright DESTINATION share/doc/rehearse COMPONENT program)
install(FILES reports/report.schema.json replay/plan.schema.json DESTINATION share/rehearse/schemas COMPONENT program)

# -- find_package(rehearse): for properties of one's own (harness/migration.h)

include(CMakePackageConfigHelpers)
install(TARGETS rehearse_options rehearse_replay rehearse_properties rehearse_reports rehearse_harness
  EXPORT rehearseTargets ARCHIVE COMPONENT development FILE_SET HEADERS DESTINATION include/rehearse COMPONENT development)
install(EXPORT rehearseTargets NAMESPACE rehearse:: DESTINATION lib/cmake/rehearse COMPONENT development)
configure_package_config_file(cmake/rehearseConfig.cmake.in ${PROJECT_BINARY_DIR}/rehearseConfig.cmake
  INSTALL_DESTINATION lib/cmake/rehearse)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rehearseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rehearseConfig.cmake ${PROJECT_BINARY_DIR}/rehearseConfigVersion.cmake
  DESTINATION lib/cmake/rehearse COMPONENT development)
install(FILES cmake/copyright DESTINATION share/doc/librehearse-dev COMPONENT development)

# -- packages

set(CPACK_PACKAGE_NAME rehearse)
set(CPACK_PACKAGE_VENDOR "the rehearse project")
set(CPACK_PACKAGE_CONTACT "the rehearse project <rehearse@rehearse.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "proves that a service migration is safe before anyone takes it")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
# The archive stands on its own: bin/, lib/, include/ and share/ below one directory.
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
set(CPACK_INCLUDE_TOPLEVEL_DIRECTORY ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME rehearse)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION devel)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
  "Plays captured and made-up requests against the new service at every stage of the migration flag, watches both databases, and says pass, fail or unknown.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME librehearse-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libboost1.81-dev, libboost-json1.81-dev, libboost-url1.81-dev, libfmt-dev, libsqlite3-dev, zlib1g-dev, libssl-dev, libyaml-cpp-dev, libpcap-dev, libzstd-dev, libnghttp2-dev, libbrotli-dev, libpqxx-dev, libpq-dev, libxxhash-dev, pkg-config")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "The C++ face: headers, static libraries and a CMake package, find_package(rehearse), for properties of one's own.")
include(CPack)
