using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Distributed.AdminApi.Predictions;

namespace Distributed.AdminApi.Tests;

public sealed class InferenceRequestTests
{
    private const int Size = 4;

    [Fact]
    public void Files_behind_the_json_are_read_whatever_they_hold() =>
        Gen
            .Byte.Array[0, 40]
            .List[1, 6]
            .Sample(files =>
            {
                using var body = new MemoryStream();
                body.Write(Encoding.UTF8.GetBytes($$"""{"inputs":[{"name":"images","shape":[{{files.Count}}],"datatype":"BYTES"}]}"""));
                var length = body.Length;
                var size = new byte[sizeof(int)];
                foreach (var file in files)
                {
                    BinaryPrimitives.WriteInt32LittleEndian(size, file.Length);
                    body.Write(size);
                    body.Write(file);
                }

                var request = InferenceRequest.Read(body.ToArray(), $"{length}", Size);

                Assert.False(request.ArePixels);
                Assert.Equal(files, request.Images);
            });

    [Fact]
    public void Pixels_are_read_flat_and_nested_and_cut_by_image() =>
        Gen
            .Byte.Array[Size * Size * 3]
            .List[1, 3]
            .Sample(images =>
            {
                var flat = string.Join(',', images.SelectMany(image => image));
                var nested = string.Join(',', images.Select(image => $"[{string.Join(',', image)}]"));
                foreach (var data in (string[])[$"[{flat}]", $"[{nested}]"])
                {
                    var body = Encoding.UTF8.GetBytes(
                        $$"""{"inputs":[{"name":"pixels","shape":[{{images.Count}},4,4,3],"datatype":"UINT8","data":{{data}}}]}"""
                    );

                    var request = InferenceRequest.Read(body, headerLength: null, Size);

                    Assert.True(request.ArePixels);
                    Assert.Equal(images, request.Images);
                }
            });

    [Fact]
    public void What_is_no_request_is_refused_and_never_anything_else()
    {
        string?[] lengths = [null, "", "0", "-1", "5", "1000", "x"];
        byte[][] wrong =
        [
            .. new[]
            {
                "null",
                "[]",
                "{}",
                """{"inputs":null}""",
                """{"inputs":[null]}""",
                """{"inputs":[{}]}""",
                """{"inputs":[{"name":"images","datatype":"BYTES"}]}""",
                """{"inputs":[{"name":"images","datatype":"BYTES","shape":[-1],"data":[]}]}""",
                """{"inputs":[{"name":"images","datatype":"BYTES","shape":[1],"data":{"a":1}}]}""",
                """{"inputs":[{"name":"images","datatype":"BYTES","shape":[1],"data":[null]}]}""",
                """{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,4,4,3],"data":[1.5]}]}""",
                """{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[715827883,4,4,3],"data":[1]}]}""",
            }.Select(Encoding.UTF8.GetBytes),
        ];
        Gen.Select(
                Gen.OneOf(Gen.Byte.Array[0, 200], Gen.Int[0, wrong.Length - 1].Select(i => wrong[i])),
                Gen.Int[0, lengths.Length - 1].Select(i => lengths[i])
            )
            .Sample(
                (body, length) =>
                {
                    Assert.Throws<InvalidInferenceException>(() => (object)InferenceRequest.Read(body, length, Size));
                }
            );
    }
}
