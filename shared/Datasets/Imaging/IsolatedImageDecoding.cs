using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Distributed.Imaging;

namespace Distributed.Datasets.Imaging;

/// <summary>
/// Decodes in processes of its own, one image at a time in each. An image over which two of them end, or do not come to an end, is rejected:
/// it is known by name, whatever it does to its process. No image is blamed for what is wrong with the host: each process decodes a known image
/// first; the second opinion on an image is that of a fresh process while no other image is decoded; and after it another process decodes the
/// known image, and uses the memory of the largest one. Where one of these fails, nothing is decoded here any more.
/// </summary>
/// <param name="assembly">Path of the program's assembly; it must call <see cref="DecodingServer.Run"/>.</param>
/// <param name="patience">How long an image may take.</param>
public sealed class IsolatedImageDecoding(string assembly, TimeSpan patience) : IImageDecoding, IAsyncDisposable
{
    /// <summary>Images that are decoded at once; who has all turns is alone.</summary>
    private static readonly int Turns = Environment.ProcessorCount;

    private readonly ConcurrentBag<DecodingProcess> _idle = [];
    private readonly SemaphoreSlim _turns = new(Turns);
    private readonly SemaphoreSlim _alone = new(1);

    /// <summary>The program that stands beside the host's, with a minute for an image.</summary>
    public static IsolatedImageDecoding Create() =>
        new(Path.Combine(AppContext.BaseDirectory, "Distributed.Decoding.dll"), TimeSpan.FromMinutes(1));

    /// <inheritdoc/>
    /// <exception cref="DecoderUnavailableException">This host cannot decode apart from itself.</exception>
    public async ValueTask<SquareImage> DecodeAsync(
        ReadOnlyMemory<byte> encoded,
        ImagePreparation preparation,
        CancellationToken cancellationToken
    )
    {
        await _turns.WaitAsync(cancellationToken);
        try
        {
            var process = _idle.TryTake(out var idle) ? idle : await StartAsync(cancellationToken);
            if ((await TryAsync(process, encoded, preparation, cancellationToken)).Image is { } image)
            {
                return image;
            }
        }
        finally
        {
            _turns.Release();
        }

        return await AloneAsync(() => DecideAsync(encoded, preparation, cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        while (_idle.TryTake(out var process))
        {
            await process.DisposeAsync();
        }

        _turns.Dispose();
        _alone.Dispose();
    }

    /// <summary>The second opinion, and the evidence that what it says is the image's doing.</summary>
    private async Task<SquareImage> DecideAsync(
        ReadOnlyMemory<byte> encoded,
        ImagePreparation preparation,
        CancellationToken cancellationToken
    )
    {
        var (image, end, error) = await TryAsync(await StartAsync(cancellationToken), encoded, preparation, cancellationToken);
        if (image is not null)
        {
            return image;
        }

        var witness = await StartAsync(cancellationToken);
        if (
            (await TryAsync(witness, default, preparation with { Size = DecodingServer.SizeOfMemory }, cancellationToken)) is
            { Image: null } without
        )
        {
            throw new DecoderUnavailableException(
                $"This host has too little memory to decode images apart from itself: one may take {ImageDecoder.MaximalPixels * ImageDecoder.BytesAPixel >> 20} MB, and to use as much {without.End}. "
                    + "Give it more, or raise its container's limit.",
                without.Error!
            );
        }

        throw new ImageRejectedException(SkipReason.DecodingFailed, $"decoding it {end}", error!);
    }

    private async Task<SquareImage> AloneAsync(Func<Task<SquareImage>> action, CancellationToken cancellationToken)
    {
        await _alone.WaitAsync(cancellationToken);
        var taken = 0;
        try
        {
            for (; taken < Turns; taken++)
            {
                await _turns.WaitAsync(cancellationToken);
            }

            return await action();
        }
        finally
        {
            if (taken > 0)
            {
                _turns.Release(taken);
            }

            _alone.Release();
        }
    }

    /// <summary>Starts a process that has shown that it can decode.</summary>
    private async Task<DecodingProcess> StartAsync(CancellationToken cancellationToken)
    {
        var process = await DecodingProcess.StartAsync(assembly, patience, cancellationToken);
        try
        {
            await KnownImage.ProveAsync(new Single(process, patience), cancellationToken);
            return process;
        }
        catch (DecoderUnavailableException exception)
        {
            var status = await process.EndAsync();
            await process.DisposeAsync();
            throw new DecoderUnavailableException(
                $"The program '{assembly}', which decodes images apart from the host, cannot decode (status {status}): a library is missing, such as libSkiaSharp, or of another version. "
                    + $"Install the host's files again. {exception.Message}",
                exception
            );
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <returns>The image, or how the process came to its end and why.</returns>
    /// <exception cref="ImageRejectedException">The process has answered that the image cannot be used.</exception>
    private async Task<(SquareImage? Image, string? End, Exception? Error)> TryAsync(
        DecodingProcess process,
        ReadOnlyMemory<byte> encoded,
        ImagePreparation preparation,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var image = await process.DecodeAsync(encoded, preparation, patience, cancellationToken);
            _idle.Add(process);
            return (image, null, null);
        }
        catch (ImageRejectedException)
        {
            _idle.Add(process);
            throw;
        }
        catch (Exception exception) when (exception is IOException or TimeoutException)
        {
            var end =
                exception is TimeoutException
                    ? $"takes longer than {patience.TotalSeconds:F0} s"
                    : $"ends the process that does it (status {await process.EndAsync()})";
            await process.DisposeAsync();
            return (null, end, exception);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>One process alone.</summary>
    private sealed class Single(DecodingProcess process, TimeSpan patience) : IImageDecoding
    {
        public async ValueTask<SquareImage> DecodeAsync(
            ReadOnlyMemory<byte> encoded,
            ImagePreparation preparation,
            CancellationToken cancellationToken
        ) => await process.DecodeAsync(encoded, preparation, patience, cancellationToken);
    }

    private sealed class DecodingProcess(Process process) : IAsyncDisposable
    {
        private Stream Answers => process.StandardOutput.BaseStream;

        public static async Task<DecodingProcess> StartAsync(string assembly, TimeSpan patience, CancellationToken cancellationToken)
        {
            var started = Start(assembly);
            var hello = new byte[1];
            try
            {
                await started.Answers.ReadExactlyAsync(hello, cancellationToken).AsTask().WaitAsync(patience, cancellationToken);
            }
            catch (Exception exception)
            {
                await started.DisposeAsync();
                throw exception is EndOfStreamException or TimeoutException ? CannotStart(assembly, exception) : exception;
            }

            return started;
        }

        public async Task<SquareImage> DecodeAsync(
            ReadOnlyMemory<byte> encoded,
            ImagePreparation preparation,
            TimeSpan patience,
            CancellationToken cancellationToken
        )
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(patience);
            try
            {
                await RequestAsync(encoded, preparation, limit.Token);
                return await AnswerAsync(preparation.Size, limit.Token);
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException("The image took too long.", exception);
            }
        }

        /// <summary>The status of a process that has ended, or is made to.</summary>
        public async Task<int> EndAsync()
        {
            // What broke the pipe is the end of the process, a moment before or after.
            using var moment = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await process.WaitForExitAsync(moment.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            return process.ExitCode;
        }

        public async ValueTask DisposeAsync()
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }

        private static DecodingProcess Start(string assembly)
        {
            try
            {
                return new DecodingProcess(
                    Process.Start(
                        new ProcessStartInfo(Host(), ["exec", assembly])
                        {
                            RedirectStandardInput = true,
                            RedirectStandardOutput = true,
                            UseShellExecute = false,
                        }
                    )!
                );
            }
            catch (Exception exception) when (exception is Win32Exception or IOException)
            {
                // No runtime where it should be, none that may be executed, no file or process left.
                throw CannotStart(assembly, exception);
            }
        }

        private static DecoderUnavailableException CannotStart(string assembly, Exception exception) =>
            new(
                $"The program '{assembly}', which decodes images apart from the host, cannot be started with '{Host()}': {exception.Message} It belongs to the host's files: install them again.",
                exception
            );

        /// <summary>The runtime that this process runs on: a service may have been started by a program of its own.</summary>
        private static string Host() =>
            Path.GetFullPath(
                Path.Combine(
                    RuntimeEnvironment.GetRuntimeDirectory(),
                    "..",
                    "..",
                    "..",
                    OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"
                )
            );

        private async Task RequestAsync(ReadOnlyMemory<byte> encoded, ImagePreparation preparation, CancellationToken cancellationToken)
        {
            var head = new byte[(5 * sizeof(int)) + sizeof(double)];
            BitConverter.TryWriteBytes(head, encoded.Length);
            BitConverter.TryWriteBytes(head.AsSpan(sizeof(int)), preparation.Size);
            BitConverter.TryWriteBytes(head.AsSpan(2 * sizeof(int)), (int)preparation.Fit);
            BitConverter.TryWriteBytes(head.AsSpan(3 * sizeof(int)), (int)preparation.Decoding);
            BitConverter.TryWriteBytes(head.AsSpan(4 * sizeof(int)), (int)preparation.Resampling);
            BitConverter.TryWriteBytes(head.AsSpan(5 * sizeof(int)), preparation.CropShare);
            var requests = process.StandardInput.BaseStream;
            await requests.WriteAsync(head, cancellationToken);
            await requests.WriteAsync(encoded, cancellationToken);
            await requests.FlushAsync(cancellationToken);
        }

        private async Task<SquareImage> AnswerAsync(int size, CancellationToken cancellationToken)
        {
            var head = new byte[1 + (2 * sizeof(int))];
            await Answers.ReadExactlyAsync(head, cancellationToken);
            var (first, second) = (BitConverter.ToInt32(head, 1), BitConverter.ToInt32(head, 1 + sizeof(int)));
            var rejected = head[0] == DecodingServer.Rejected;
            var content = new byte[rejected ? first : size * size * 3];
            await Answers.ReadExactlyAsync(content, cancellationToken);
            return rejected
                ? throw new ImageRejectedException((SkipReason)second, Encoding.UTF8.GetString(content))
                : new SquareImage(first, second, content);
        }
    }
}
