using System.Text;

namespace Distributed.Fuzzing.Targets;

/// <summary>JSON that people and programs send to submit runs.</summary>
internal static class JsonSeeds
{
    public static IReadOnlyList<string> Specifications { get; } =
    [
        "{}",
        """{"name":"flowers","tags":["a","b"],"submitter":"me","dataset":"/data/flowers","backbone":"imagenet","architecture":"densenet121","inputSize":224,"fit":"pad","precision":"bf16","seed":3,"splitSeed":4,"topK":2}""",
        """{"head":{"kind":"mlp","hiddenSizes":[64,32],"dropout":0.25},"training":{"optimizer":"adam","epochs":5,"batchSize":32,"learningRate":0.001,"weightDecay":0,"patience":3},"validationFraction":0.2,"testFraction":0.3}""",
        """{"training":{"optimizer":"newton","penalties":[10,1,0.1]},"fold":3}""",
    ];

    public static IReadOnlyList<byte[]> Words { get; } =
    [
        .. new[]
        {
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1e999",
            "-0.0",
            "1E-400",
            "2147483648",
            "99999999999999999999",
            "\"\"",
            "\"\\ud800\"",
            "\"\\u0000\"",
            "\"\\n\"",
            "\"NaN\"",
            "\"name\":",
            "\"tags\":",
            "\"head\":",
            "\"training\":",
            "\"penalties\":",
            "\"hiddenSizes\":",
            "\"dropout\":",
            "\"fold\":",
            "\"unknown\":",
            "\"runId\":",
            "\"specification\":",
            "\"kind\":\"linear\"",
            "/*",
            "[[[[[[[[[[[[[[[[",
            "{\"a\":{\"a\":{\"a\":",
            "\ufeff",
            "é",
            "😀",
        }.Select(Encoding.UTF8.GetBytes),
        [0xFF],
        [0xC0, 0x80],
        [0xED, 0xA0, 0x80],
        [0],
    ];
}
