using System.Text.Json;
using Distributed.Datasets;
using Distributed.Datasets.Downloads;

namespace Distributed.Fuzzing.Targets;

/// <summary>The notes beside an unfinished download, which no hash protects.</summary>
internal sealed class NotesTarget : FuzzTarget
{
    private readonly Sandbox _sandbox = new();

    public override string Name => "download-notes";

    protected override IReadOnlyList<byte[]> Seeds { get; } =
    [
        JsonSerializer.SerializeToUtf8Bytes(new DownloadNotes("\"one\"", DateTimeOffset.UnixEpoch, 1000), DatasetJson.Options),
        JsonSerializer.SerializeToUtf8Bytes(new DownloadNotes(null, null, null), DatasetJson.Options),
    ];

    protected override IReadOnlyList<byte[]> Words { get; } =
    [.. JsonSeeds.Words, .. AsBytes("\\\"", "W/", "\"eTag\":", "\"total\":", "1970-01-01T00:00:00+99:00")];

    public override bool Parse(byte[] input)
    {
        File.WriteAllBytes(_sandbox.At("file.partial"), [1, 2, 3]);
        File.WriteAllBytes(_sandbox.At("file.partial.json"), input);
        var partial = new PartialDownload(_sandbox.At("file.partial"));
        var accepted = partial.Notes is not null;
        var check = new DownloadCheck(new Uri("http://localhost/"), partial, new DownloadExpectation(Sha256: "0"), DownloadLimits.Default);
        var start = check.ResumeAt();
        Promise(start is 0 or 3, $"the download goes on at byte {start} of 3");
        Promise(
            start == 0 || partial.Notes!.Condition is null || partial.Notes.Condition.ToString().Length > 0,
            "the condition says nothing"
        );
        return accepted;
    }

    protected override void Dispose(bool disposing)
    {
        _sandbox.Dispose();
        base.Dispose(disposing);
    }
}
