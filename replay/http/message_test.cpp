#include "replay/http/message.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "replay/capture/limits.h"
#include "replay/http/content_coding.h"
#include "replay/http/parser.h"

namespace rehearse::replay {
namespace {

std::string deflated(const std::string& text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Fields, AreFoundSetAndErasedWithoutCase) {
  Headers headers{{"ETag", "1"}, {"etag", "2"}};
  EXPECT_EQ(field(headers, "ETAG"), "1");
  EXPECT_EQ(field(headers, "ETagX"), std::nullopt);
  set_field(headers, "eTag", "3");
  set_field(headers, "New", "4");
  EXPECT_EQ(headers, (Headers{{"ETag", "3"}, {"etag", "2"}, {"New", "4"}}));
  erase_field(headers, "etag");
  EXPECT_EQ(headers, (Headers{{"New", "4"}}));
}

TEST(DecodedBody, UndoesGzipAndBothKindsOfDeflate) {
  const std::string text(100'000, 'x');
  EXPECT_EQ(decoded_body({{"Content-Encoding", "gzip"}}, deflated(text, 31)), text);
  EXPECT_EQ(decoded_body({{"content-encoding", " GZIP "}}, deflated(text, 31)), text);
  EXPECT_EQ(decoded_body({{"Content-Encoding", "deflate"}}, deflated(text, 15)), text);
  EXPECT_EQ(decoded_body({{"Content-Encoding", "deflate"}}, deflated(text, -15)), text);
  EXPECT_EQ(decoded_body({{"Content-Encoding", "identity"}}, "plain"), "plain");
  EXPECT_EQ(decoded_body({}, "plain"), "plain");
}

TEST(DecodedBody, UndoesEveryCodingAndTwoOfThem) {
  const std::string text = "a text " + std::string(10'000, 'x') + " that is long";
  for (const std::string coding : {"gzip", "deflate", "br", "zstd", "gzip, br"})
    EXPECT_EQ(decoded_body({{"Content-Encoding", coding}}, with_codings(text, codings_in(coding))), text) << coding;
  const std::vector<std::string> many(10, "gzip");
  EXPECT_EQ(decoded_body({{"Content-Encoding", fmt::format("{}", fmt::join(many, ","))}}, with_codings(text, many)),
            std::nullopt);
}

TEST(DecodedBody, RefusesWhatGrowsLikeABomb) {
  const std::string blanks(2 * limits::always_decoded_bytes, ' ');
  for (const std::string coding : {"gzip", "br", "zstd"})
    EXPECT_EQ(decoded_body({{"Content-Encoding", coding}}, with_codings(blanks, {coding})), std::nullopt) << coding;
}

TEST(DecodedBody, RefusesWhatIsBrokenUnknownOrTooLarge) {
  const std::string coded = deflated(std::string(100'000, 'x'), 31);
  EXPECT_EQ(decoded_body({{"Content-Encoding", "gzip"}}, coded.substr(0, coded.size() / 2)), std::nullopt);
  EXPECT_EQ(decoded_body({{"Content-Encoding", "gzip"}}, "not gzip at all"), std::nullopt);
  EXPECT_EQ(decoded_body({{"Content-Encoding", "br"}}, coded), std::nullopt);
  EXPECT_EQ(decoded_body({{"Content-Encoding", "gzip"}}, coded, 99'999), std::nullopt);
  EXPECT_TRUE(decoded_body({{"Content-Encoding", "gzip"}}, coded, 100'000).has_value());
}

TEST(IsJson, GoesByTheMediaType) {
  EXPECT_TRUE(is_json({{"content-type", "Application/JSON; charset=utf-8"}}));
  EXPECT_TRUE(is_json({{"Content-Type", "application/problem+json"}}));
  EXPECT_FALSE(is_json({{"Content-Type", "text/plain; x=application/json"}}));
  EXPECT_FALSE(is_json({}));
}

TEST(PercentDecoded, LeavesMalformedEscapesAlone) {
  EXPECT_EQ(percent_decoded("a%2Fb%20c%c3%a9"), "a/b c\xc3\xa9");
  EXPECT_EQ(percent_decoded("100%"), "100%");
  EXPECT_EQ(percent_decoded("%4"), "%4");
  EXPECT_EQ(percent_decoded("%zz%41"), "%zzA");
  EXPECT_EQ(percent_decoded("%41"), "A");
}

TEST(PathOf, EndsBeforeTheQuery) {
  EXPECT_EQ(path_of("/a/b?c=/d"), "/a/b");
  EXPECT_EQ(path_of("/a"), "/a");
  EXPECT_EQ(path_of(""), "");
}

}  // namespace
}  // namespace rehearse::replay
