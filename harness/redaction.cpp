#include "harness/redaction.h"

#include <fmt/format.h>

#include <cstdio>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

void keep_shape(replay::Shapes& shapes, const std::string& name) {
  if (name == "email") {
    shapes.email = false;
  } else if (name == "card") {
    shapes.card = false;
  } else if (name == "jwt") {
    shapes.jwt = false;
  } else if (name == "bearer") {
    shapes.bearer = false;
  } else if (name == "url") {
    shapes.url_credentials = false;
  } else {
    throw Error(
        fmt::format("redaction.keep: shape:{} is no shape; the shapes are shape:email, shape:card, shape:jwt, "
                    "shape:bearer, shape:url",
                    name));
  }
}

}  // namespace

replay::RedactionRules rules_of(const RedactionSettings& settings) {
  constexpr std::string_view shape = "shape:";
  replay::RedactionRules rules = replay::built_in_rules();
  for (const std::string& name : settings.headers) rules.headers.add(name);
  for (const std::string& name : settings.query) rules.parameters.add(name);
  for (const std::string& name : settings.json) {
    if (name.starts_with('$')) {
      rules.paths.emplace_back(name);
    } else {
      rules.fields.add(name);
    }
  }
  for (const std::string& name : settings.keep) {
    if (name.starts_with('$')) {
      rules.kept_paths.emplace_back(name);
    } else if (name.starts_with(shape)) {
      keep_shape(rules.shapes, name.substr(shape.size()));
    } else {
      rules.kept.add(name);
    }
  }
  return rules;
}

replay::Redactor redactor_of(const RedactionSettings& settings) {
  replay::RedactionRules rules = rules_of(settings);
  std::string made;
  replay::RedactionKey key = replay::redaction_key(settings.key_file, made);
  if (!made.empty())
    fmt::print(stderr, "rehearse: made the redaction key {}; keep it to get the same masks again\n", made);
  return {std::move(rules), std::move(key)};
}

std::string redact(replay::Traffic& traffic, const RedactionSettings& settings) {
  if (const std::string key = redacted_with(traffic.certificate); !key.empty())
    return fmt::format("masked with the key {}", key);
  if (!settings.off.empty()) {
    traffic.certificate.notes.push_back("redaction off: " + settings.off);
    return traffic.certificate.notes.back();
  }
  replay::Redactor redactor = redactor_of(settings);
  replay::redact(traffic, redactor);
  return fmt::format("masked with the key {}", redacted_with(traffic.certificate));
}

MaskedWriter::MaskedWriter(const std::string& path, const RedactionSettings& settings, const std::string& masked_with)
    : writer_(path) {
  if (!masked_with.empty()) return;
  off_ = settings.off;
  if (off_.empty()) redactor_.emplace(redactor_of(settings));
}

void MaskedWriter::mask(replay::Exchange& exchange) {
  if (redactor_) redactor_->apply(exchange);
}

void MaskedWriter::finish(replay::Certificate& certificate) {
  if (redactor_) redactor_->certify(certificate);
  if (!off_.empty()) certificate.notes.push_back("redaction off: " + off_);
  writer_.finish(certificate);
}

}  // namespace rehearse::harness
