#include "replay/redaction/rules.h"

#include <algorithm>
#include <array>

#include "replay/values.h"

namespace rehearse::replay {
namespace {

char plain(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool joint(char c) { return c == '-' || c == '_'; }

const std::vector<BuiltInNames>& table() {
  using enum BuiltInNames::Kind;
  static const std::vector<BuiltInNames> groups{
      {header, true, "credentials of HTTP itself", {"Authorization", "Proxy-Authorization"}},
      {header, true, "sessions; the names of cookies stay, their values go", {"Cookie", "Set-Cookie"}},
      {header,
       true,
       "keys and tokens that services and gateways agreed on",
       {"X-Api-Key",
        "Api-Key",
        "X-Api-Token",
        "X-Auth-Token",
        "X-Auth-Key",
        "X-Access-Token",
        "X-Refresh-Token",
        "X-Session-Token",
        "X-Session-Id",
        "X-Id-Token",
        "X-User-Token",
        "X-Device-Token",
        "X-Client-Secret",
        "X-Amz-Security-Token",
        "X-Goog-Api-Key",
        "X-Goog-Iap-Jwt-Assertion",
        "Ocp-Apim-Subscription-Key",
        "X-Vault-Token",
        "X-Consul-Token",
        "Private-Token",
        "X-Gitlab-Token",
        "X-Amzn-Oidc-Data",
        "X-Amzn-Oidc-Accesstoken",
        "X-Ms-Token-Aad-Access-Token",
        "X-Ms-Token-Aad-Id-Token",
        "Cf-Access-Jwt-Assertion",
        "X-Forwarded-Access-Token",
        "X-Forwarded-Client-Cert",
        "DPoP"}},
      {header,
       true,
       "proofs that a request was meant, and signatures that can be replayed",
       {"X-Csrf-Token", "X-Xsrf-Token", "Csrf-Token", "X-Csrftoken", "X-Signature", "X-Hub-Signature",
        "X-Hub-Signature-256", "Stripe-Signature", "Authentication-Info"}},
      {field,
       true,
       "passwords and what stands for them",
       {"password",
        "passwd",
        "pwd",
        "passphrase",
        "passcode",
        "new_password",
        "old_password",
        "current_password",
        "confirm_password",
        "password_confirmation",
        "password_repeat",
        "user_password",
        "pin",
        "otp",
        "totp",
        "one_time_password",
        "mfa_code",
        "otp_code",
        "verification_code",
        "security_answer"}},
      {field,
       true,
       "tokens and sessions",
       {"token",
        "access_token",
        "refresh_token",
        "id_token",
        "auth_token",
        "session_token",
        "bearer_token",
        "api_token",
        "reset_token",
        "device_token",
        "user_token",
        "oauth_token",
        "oauth_verifier",
        "code_verifier",
        "client_assertion",
        "saml_response",
        "session",
        "session_id",
        "sid",
        "jsessionid",
        "phpsessid",
        "jwt",
        "authorization",
        "x_amz_security_token",
        "x_amz_signature",
        "x_amz_credential",
        "x_goog_signature",
        "x_goog_credential",
        "sig"}},
      {field,
       true,
       "proofs that a form was meant",
       {"csrf", "xsrf", "csrf_token", "xsrf_token", "csrfmiddlewaretoken", "authenticity_token",
        "__RequestVerificationToken", "_csrf"}},
      {field,
       true,
       "secrets of programs",
       {"secret", "client_secret", "shared_secret", "secret_key", "secret_access_key", "aws_secret_access_key",
        "private_key", "api_key", "apikey", "access_key", "api_secret", "app_secret", "signing_key", "encryption_key",
        "webhook_secret"}},
      {field,
       false,
       "money: whoever has them can pay with them",
       {"card_number", "credit_card", "credit_card_number", "cc_number", "pan", "cvv", "cvv2", "cvc", "cvc2",
        "card_cvv", "card_cvc", "security_code", "iban", "account_number", "bank_account", "bank_account_number",
        "routing_number"}},
      {field,
       false,
       "numbers that a state gives to a person",
       {"ssn", "social_security_number", "social_security", "national_id", "tax_id", "passport_number",
        "driver_license_number"}},
  };
  return groups;
}

}  // namespace

std::string plain_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (!joint(c)) out += plain(c);
  }
  return out;
}

void Names::add(std::string_view name) {
  const std::string plain_text = plain_name(name);
  if (plain_text.empty()) return;
  longest_ = std::max(longest_, plain_text.size());
  lengths_[static_cast<unsigned char>(plain_text.front())] |= 1ull << std::min<std::size_t>(plain_text.size(), 63);
  ends_[static_cast<unsigned char>(plain_text.front())] |= 1ull << (plain_text.back() & 63);
  names_.insert(plain_text);
}

bool Names::contains(std::string_view name) const {
  while (!name.empty() && joint(name.front())) name.remove_prefix(1);
  if (name.empty()) return false;
  const std::uint64_t lengths = lengths_[static_cast<unsigned char>(plain(name.front()))];
  while (joint(name.back())) name.remove_suffix(1);
  if (lengths == 0 || (ends_[static_cast<unsigned char>(plain(name.front()))] >> (plain(name.back()) & 63) & 1) == 0)
    return false;
  const auto length = name.size() - static_cast<std::size_t>(std::count_if(name.begin(), name.end(), joint));
  if ((lengths >> std::min<std::size_t>(length, 63) & 1) == 0) return false;
  return names_.contains(plain_name(name));
}

std::span<const BuiltInNames> built_in_names() { return table(); }

RedactionRules built_in_rules() {
  RedactionRules rules;
  for (const BuiltInNames& group : built_in_names()) {
    for (const std::string_view name : group.names)
      (group.kind == BuiltInNames::Kind::header ? rules.headers : rules.fields).add(name);
  }
  return rules;
}

bool names_a_credential(std::string_view name) {
  static const Names known = [] {
    Names names;
    for (const BuiltInNames& group : built_in_names()) {
      for (const std::string_view of_group : group.names) {
        if (group.proves) names.add(of_group);
      }
    }
    return names;
  }();
  static constexpr std::array<std::string_view, 5> words{"token", "secret", "password", "key", "signature"};
  return known.contains(name) ||
         std::any_of(words.begin(), words.end(), [&](std::string_view word) { return ends_in_word(name, word); });
}

}  // namespace rehearse::replay
