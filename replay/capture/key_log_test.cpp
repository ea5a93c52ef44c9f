#include "replay/capture/key_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

const std::string random_text(64, 'a');
const std::string random(32, '\xaa');
const std::string short_secret(64, '0');
const std::string long_secret(96, '1');

std::string line(std::string_view label, std::string_view secret) {
  return fmt::format("{} {} {}\n", label, random_text, secret);
}

TEST(KeyLog, FindsSecretsByLabelAndRandom) {
  KeyLog keys;
  keys.append("# a comment\n\n" + line("CLIENT_RANDOM", long_secret) +
              line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", short_secret) +
              line("SERVER_HANDSHAKE_TRAFFIC_SECRET", long_secret));
  keys.append(line("CLIENT_TRAFFIC_SECRET_0", short_secret) + line("SERVER_TRAFFIC_SECRET_0", long_secret));
  EXPECT_EQ(keys.find(SecretLabel::master, random), std::string(48, '\x11'));
  EXPECT_EQ(keys.find(SecretLabel::client_handshake, random), std::string(32, '\0'));
  EXPECT_EQ(keys.find(SecretLabel::server_handshake, random), std::string(48, '\x11'));
  EXPECT_EQ(keys.find(SecretLabel::client_traffic, random), std::string(32, '\0'));
  EXPECT_EQ(keys.find(SecretLabel::server_traffic, random), std::string(48, '\x11'));
  EXPECT_EQ(keys.find(SecretLabel::master, std::string(32, '\xab')), "");
  EXPECT_EQ(keys.find(SecretLabel::master, "short"), "");
  EXPECT_EQ(keys.bad_lines(), 0);
}

TEST(KeyLog, PassesOverSecretsThatAreOfNoUse) {
  KeyLog keys;
  keys.append(line("EXPORTER_SECRET", short_secret) + line("CLIENT_EARLY_TRAFFIC_SECRET", short_secret) +
              line("ECH_SECRET", "00"));
  EXPECT_EQ(keys.size(), 0u);
  EXPECT_EQ(keys.bad_lines(), 0);
}

TEST(KeyLog, CountsLinesThatAreNoneAndReadsOn) {
  KeyLog keys;
  keys.append("<html>\n" + line("CLIENT_RANDOM", short_secret) +         // a master secret has 48 bytes
              line("CLIENT_TRAFFIC_SECRET_0", "0") +                     // cut
              line("CLIENT_TRAFFIC_SECRET_0", std::string(64, 'g')) +    // no hexadecimal digits
              line("CLIENT_TRAFFIC_SECRET_0", short_secret + " more") +  //
              fmt::format("CLIENT_TRAFFIC_SECRET_0 aa {}\n", short_secret) +
              std::string(limits::key_line_bytes + 1, 'A') + "\n" + line("SERVER_TRAFFIC_SECRET_0", short_secret));
  EXPECT_EQ(keys.bad_lines(), 7);
  EXPECT_EQ(keys.size(), 1u);
}

TEST(KeyLog, ReadsLinesHoweverTheirTextIsCut) {
  const std::string text = "# comment\r\n" + line("CLIENT_RANDOM", long_secret) + "CLIENT_TRAFFIC_SECRET_0  " +
                           random_text + "\t" + short_secret + "\r\nSERVER_TRAFFIC_SECRET_0 " + random_text + " " +
                           short_secret;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    KeyLog keys;
    keys.append(text.substr(0, cut));
    keys.append(text.substr(cut));
    EXPECT_EQ(keys.size(), 2u) << cut;
    keys.finish();
    EXPECT_EQ(keys.size(), 3u) << cut;
    EXPECT_EQ(keys.bad_lines(), 0) << cut;
  }
}

TEST(KeyLog, KeepsTheLastOfTwoSecretsOfTheSameName) {
  KeyLog keys;
  keys.append(line("CLIENT_RANDOM", long_secret) + line("CLIENT_RANDOM", std::string(96, '2')));
  EXPECT_EQ(keys.find(SecretLabel::master, random), std::string(48, '\x22'));
  EXPECT_EQ(keys.size(), 1u);
}

TEST(KeyLog, HoldsNoMoreSecretsThanItsLimit) {
  KeyLog keys;
  for (std::size_t i = 0; i < limits::secrets + 3; ++i)
    keys.append(fmt::format("CLIENT_RANDOM {:064x} {}\n", i, long_secret));
  EXPECT_EQ(keys.size(), limits::secrets);
  EXPECT_EQ(keys.left_out(), 3);
}

}  // namespace
}  // namespace rehearse::replay
