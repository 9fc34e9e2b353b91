using System.Runtime.InteropServices;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Imaging;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.ServiceTests;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SkiaSharp;
using FragileHost = Distributed.FragileIngestion.Program;

namespace Distributed.Ingestion.Tests;

public sealed class IsolatedDecodingTests : IDisposable
{
    private const int Size = 16;
    private static readonly ImagePreparation Square = new(Size, FitMode.Crop, JpegDecoding.Full);

    /// <summary>More than the known image has, and less than any other here.</summary>
    private const int KnownLength = 700;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("isolated-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Images_decoded_apart_are_those_decoded_here_bit_for_bit()
    {
        await using var isolated = IsolatedImageDecoding.Create();
        byte[][] files = [ServiceHarness.Picture(1, 2), Photo()];

        foreach (
            var (file, fit, decoding) in from file in files
            from fit in Enum.GetValues<FitMode>()
            from decoding in Enum.GetValues<JpegDecoding>()
            select (file, fit, decoding)
        )
        {
            var preparation = new ImagePreparation(Size, fit, decoding);
            var here = await LocalImageDecoding.Default.DecodeAsync(file, preparation, CancellationToken.None);
            var apart = await isolated.DecodeAsync(file, preparation, CancellationToken.None);
            Assert.Equal((here.Width, here.Height), (apart.Width, apart.Height));
            Assert.Equal(here.Pixels, apart.Pixels);
        }

        var refused = await Assert.ThrowsAsync<ImageRejectedException>(async () =>
            await isolated.DecodeAsync("no image"u8.ToArray(), Square, CancellationToken.None)
        );
        Assert.Equal(Assert.Throws<ImageRejectedException>(() => ImageDecoder.Decode("no image"u8)).Message, refused.Message);
    }

    /// <summary>A JPEG that is several times the size it is brought to.</summary>
    private static byte[] Photo()
    {
        using var bitmap = new SKBitmap(330, 210);
        for (var y = 0; y < bitmap.Height; y++)
        {
            for (var x = 0; x < bitmap.Width; x++)
            {
                bitmap.SetPixel(x, y, new SKColor((byte)x, (byte)y, (byte)(x ^ y)));
            }
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 90);
        return data.ToArray();
    }

    [Fact]
    public async Task Only_the_file_that_ends_processes_is_skipped()
    {
        var names = Enumerable
            .Range(0, 12)
            .Select(image => Write($"class{image % 2}/{image:D2}.png", ServiceHarness.Picture(image % 2, image)))
            .ToList();
        Write("class0/05-killer.png", FragileHost.Killing.ToArray());
        var fileIndex = await DatasetSource.ListAsync(_folder.FullName);
        await using var isolated = FragileHost.Isolate(Patience);
        using var pixels = new MemoryStream();

        var packed = await ImagePacker.PackAsync(fileIndex, 0, fileIndex.Entries.Count, Square, pixels, isolated);

        var skipped = Assert.Single(packed, image => image.Skipped is not null);
        Assert.Equal("class0/05-killer.png", fileIndex.Entries[skipped.Entry].Name);
        Assert.Equal("decoding it ends the process that does it (status 137)", skipped.Skipped);
        Assert.Equal(names.Count * Size * Size * 3, pixels.Length);
    }

    [Fact]
    public async Task A_file_that_is_never_decoded_is_skipped_too()
    {
        await using var isolated = FragileHost.Isolate(TimeSpan.FromSeconds(4));

        var refused = await Assert.ThrowsAsync<ImageRejectedException>(async () =>
            await isolated.DecodeAsync(FragileHost.Endless.ToArray(), Square, CancellationToken.None)
        );

        Assert.Equal("decoding it takes longer than 4 s", refused.Message);
    }

    [Fact]
    public async Task A_program_that_does_not_start_makes_no_image_look_guilty()
    {
        await using var isolated = new IsolatedImageDecoding(Path.Combine(_folder.FullName, "none.dll"), Patience);

        var error = await Assert.ThrowsAsync<DecoderUnavailableException>(async () =>
            await isolated.DecodeAsync(ServiceHarness.Picture(0, 0), Square, CancellationToken.None)
        );

        Assert.Contains("none.dll", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_whose_library_is_missing_makes_no_image_look_guilty()
    {
        await using var isolated = new IsolatedImageDecoding(WithoutLibrary(), Patience);

        var error = await Assert.ThrowsAsync<DecoderUnavailableException>(async () =>
            await isolated.DecodeAsync(ServiceHarness.Picture(0, 0), Square, CancellationToken.None)
        );

        Assert.Contains("libSkiaSharp", error.Message, StringComparison.Ordinal);
        Assert.Contains("Install the host's files again", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_library_that_goes_missing_after_a_process_died_over_an_image_makes_the_image_look_no_guiltier()
    {
        var program = CopyOfFragileHost();
        await using var isolated = new IsolatedImageDecoding(program, Patience);
        await isolated.DecodeAsync(ServiceHarness.Picture(0, 0), Square, CancellationToken.None);
        foreach (var library in Directory.GetFiles(Path.GetDirectoryName(program)!, "libSkiaSharp.*", SearchOption.AllDirectories))
        {
            File.Delete(library);
        }

        await Assert.ThrowsAsync<DecoderUnavailableException>(async () =>
            await isolated.DecodeAsync(FragileHost.Killing.ToArray(), Square, CancellationToken.None)
        );
    }

    [Fact]
    public async Task A_host_shows_that_it_decodes_in_this_process_and_apart()
    {
        var check = new DecodingCheck(ImageDecodings.Default);
        Assert.Equal(HostCheckResult.Passed, await check.CheckAsync(CancellationToken.None));

        var apart = await new DecodingCheck(
            ImageDecodings.Default with
            {
                Isolate = () => new IsolatedImageDecoding(WithoutLibrary(), Patience),
            }
        ).CheckAsync(CancellationToken.None);
        Assert.Equal(HostCheckOutcome.Broken, apart.Outcome);

        var here = await new DecodingCheck(
            ImageDecodings.Default with
            {
                Local = new LocalImageDecoding((_, _) => throw new DllNotFoundException("There is no libSkiaSharp.")),
            }
        ).CheckAsync(CancellationToken.None);
        Assert.Equal(HostCheckResult.Broken("A known image cannot be decoded: There is no libSkiaSharp."), here);

        var wrong = await new DecodingCheck(
            ImageDecodings.Default with
            {
                Local = new LocalImageDecoding((_, _) => new SquareImage(16, 16, new byte[16 * 16 * 3])),
            }
        ).CheckAsync(CancellationToken.None);
        Assert.Equal(HostCheckResult.Broken("A known image is decoded to other pixels than its own."), wrong);
    }

    [Fact]
    public async Task A_library_that_goes_missing_in_a_run_ends_the_host_and_charges_neither_image_nor_job()
    {
        var broken = false;
        await using var services = await ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.Services.AddSingleton(
                    ImageDecodings.Default with
                    {
                        Local = new LocalImageDecoding(
                            (encoded, preparation) =>
                            {
                                // The known image is the smallest; the first of the run's finds the library gone.
                                broken = broken || encoded.Length > KnownLength;
                                return broken
                                    ? throw new DllNotFoundException("There is no libSkiaSharp.")
                                    : ImageDecoder.Decode(encoded, preparation);
                            }
                        ),
                    }
                );
                builder.AddIngestion(consumers);
            }
        );
        var runId = await services.SubmitAsync(new RunSpecification { Dataset = services.WritePictures("pets"), InputSize = 32 });

        var failFast = services.Services.GetRequiredService<FailFast>();
        await ServiceHarness.UntilAsync(() => Task.FromResult(failFast.Reason is not null));
        await ServiceHarness.UntilAsync(() =>
            services.QueryAsync(async context =>
                (await context.Jobs.SingleAsync(job => job.Kind == nameof(PackImages))).State == JobState.Pending
            )
        );
        Environment.ExitCode = 0;

        Assert.Equal("decoding: A known image cannot be decoded: There is no libSkiaSharp.", failFast.Reason);
        Assert.Equal(
            0,
            await services.QueryAsync(async context => (await context.Jobs.SingleAsync(job => job.Kind == nameof(PackImages))).Attempts)
        );
        Assert.Equal(RunState.Ingesting, (await services.FindAsync(runId)).State);
        Assert.Equal(0, await services.QueryAsync(context => context.PackedParts.CountAsync()));
    }

    /// <summary>The program with its own files alone, as an installation that lost the codec's library.</summary>
    private string WithoutLibrary()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.FullName, "without")).FullName;
        foreach (
            var name in (string[])
                [
                    "Distributed.Decoding.dll",
                    "Distributed.Decoding.runtimeconfig.json",
                    "Distributed.Contracts.dll",
                    "Distributed.Datasets.dll",
                    "Distributed.Imaging.dll",
                    "Distributed.Storage.dll",
                    "SkiaSharp.dll",
                ]
        )
        {
            File.Copy(Path.Combine(AppContext.BaseDirectory, name), Path.Combine(folder, name), overwrite: true);
        }

        return Path.Combine(folder, "Distributed.Decoding.dll");
    }

    private string CopyOfFragileHost()
    {
        var (source, target) = (Path.GetDirectoryName(typeof(FragileHost).Assembly.Location)!, Path.Combine(_folder.FullName, "copy"));
        var natives = Path.Combine(source, "runtimes", RuntimeInformation.RuntimeIdentifier);
        foreach (var file in (string[])[.. Directory.GetFiles(source), .. Directory.GetFiles(natives, "*", SearchOption.AllDirectories)])
        {
            var copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        return Path.Combine(target, Path.GetFileName(typeof(FragileHost).Assembly.Location));
    }

    private string Write(string name, byte[] content)
    {
        var path = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return name;
    }
}
