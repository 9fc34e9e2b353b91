using Distributed.Datasets;
using Distributed.ServiceTests;
using FragileHost = Distributed.FragileIngestion.Program;

namespace Distributed.Ingestion.Tests;

public sealed class IsolatedDecodingTests : IDisposable
{
    private const int Size = 16;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("isolated-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Images_decoded_apart_are_those_decoded_here_bit_for_bit()
    {
        await using var isolated = IsolatedImageDecoding.Create();
        var file = ServiceHarness.Picture(1, 2);

        foreach (var fit in Enum.GetValues<FitMode>())
        {
            var here = await LocalImageDecoding.Default.DecodeAsync(file, Size, fit, CancellationToken.None);
            var apart = await isolated.DecodeAsync(file, Size, fit, CancellationToken.None);
            Assert.Equal((here.Width, here.Height), (apart.Width, apart.Height));
            Assert.Equal(here.Pixels, apart.Pixels);
        }

        var refused = await Assert.ThrowsAsync<ImageRejectedException>(async () => await isolated.DecodeAsync("no image"u8.ToArray(), Size, FitMode.Crop, CancellationToken.None));
        Assert.Equal(Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode("no image"u8)).Message, refused.Message);
    }

    [Fact]
    public async Task Only_the_file_that_ends_processes_is_quarantined()
    {
        var names = Enumerable.Range(0, 12).Select(image => Write($"class{image % 2}/{image:D2}.png", ServiceHarness.Picture(image % 2, image))).ToList();
        Write("class0/05-killer.png", FragileHost.Killing.ToArray());
        var listing = await DatasetSource.ListAsync(_folder.FullName);
        await using var isolated = FragileHost.Isolate(Patience);
        using var pixels = new MemoryStream();

        var packed = await ImagePacker.PackAsync(listing, 0, listing.Entries.Count, Size, FitMode.Crop, pixels, isolated);

        var quarantined = Assert.Single(packed, image => image.Quarantined is not null);
        Assert.Equal("class0/05-killer.png", listing.Entries[quarantined.Entry].Name);
        Assert.Equal("decoding it ends the process that does it (status 137)", quarantined.Quarantined);
        Assert.Equal(names.Count * Size * Size * 3, pixels.Length);
    }

    [Fact]
    public async Task A_file_that_is_never_decoded_is_quarantined_too()
    {
        await using var isolated = FragileHost.Isolate(TimeSpan.FromSeconds(4));

        var refused = await Assert.ThrowsAsync<ImageRejectedException>(async () => await isolated.DecodeAsync(FragileHost.Endless.ToArray(), Size, FitMode.Crop, CancellationToken.None));

        Assert.Equal("decoding it takes longer than 4 s", refused.Message);
    }

    [Fact]
    public async Task A_program_that_does_not_start_makes_no_image_look_guilty()
    {
        await using var isolated = new IsolatedImageDecoding(Path.Combine(_folder.FullName, "none.dll"), Patience);

        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () => await isolated.DecodeAsync(ServiceHarness.Picture(0, 0), Size, FitMode.Crop, CancellationToken.None));

        Assert.Contains("none.dll", error.Message, StringComparison.Ordinal);
    }

    private string Write(string name, byte[] content)
    {
        var path = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return name;
    }
}
