using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Distributed.Datasets;

/// <summary>
/// Decodes in processes of its own, one image at a time in each. An image over which two of them end, or do not come to an end, is rejected:
/// it is known by name, whatever it does to its process, and nobody who ends a host by chance makes an image look guilty.
/// </summary>
/// <param name="assembly">Path of the program's assembly; it must call <see cref="DecodingServer.Run"/>.</param>
/// <param name="patience">How long an image may take.</param>
public sealed class IsolatedImageDecoding(string assembly, TimeSpan patience) : IImageDecoding, IAsyncDisposable
{
    private const int Deaths = 2;

    private readonly ConcurrentBag<DecodingProcess> _idle = [];

    /// <summary>The program that stands beside the host's, with a minute for an image.</summary>
    public static IsolatedImageDecoding Create() =>
        new(Path.Combine(AppContext.BaseDirectory, "Distributed.Decoding.dll"), TimeSpan.FromMinutes(1));

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The program cannot be started.</exception>
    public async ValueTask<SquareImage> DecodeAsync(byte[] encoded, int size, FitMode fit, CancellationToken cancellationToken)
    {
        for (var deaths = 0; ;)
        {
            // The second opinion is that of a fresh process.
            var process = deaths == 0 && _idle.TryTake(out var idle) ? idle : await DecodingProcess.StartAsync(assembly, patience, cancellationToken);
            try
            {
                var image = await process.DecodeAsync(encoded, size, fit, patience, cancellationToken);
                _idle.Add(process);
                return image;
            }
            catch (ImageRejectedException)
            {
                _idle.Add(process);
                throw;
            }
            catch (Exception exception) when (exception is IOException or TimeoutException)
            {
                var end = exception is TimeoutException ? $"takes longer than {patience.TotalSeconds:F0} s" : $"ends the process that does it (status {await process.EndAsync()})";
                await process.DisposeAsync();
                if (++deaths == Deaths)
                {
                    throw new ImageRejectedException($"decoding it {end}", exception);
                }
            }
            catch
            {
                await process.DisposeAsync();
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        while (_idle.TryTake(out var process))
        {
            await process.DisposeAsync();
        }
    }

    private sealed class DecodingProcess(Process process) : IAsyncDisposable
    {
        private Stream Answers => process.StandardOutput.BaseStream;

        public static async Task<DecodingProcess> StartAsync(string assembly, TimeSpan patience, CancellationToken cancellationToken)
        {
            var started = new DecodingProcess(Process.Start(new ProcessStartInfo(Host(), ["exec", assembly])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
            })!);
            var hello = new byte[1];
            try
            {
                await started.Answers.ReadExactlyAsync(hello, cancellationToken).AsTask().WaitAsync(patience, cancellationToken);
            }
            catch (Exception exception)
            {
                await started.DisposeAsync();
                throw exception is EndOfStreamException or TimeoutException
                    ? new InvalidOperationException($"The program '{assembly}', which decodes images apart from the host, does not start. It belongs to the host's files: install them again.", exception)
                    : exception;
            }

            return started;
        }

        public async Task<SquareImage> DecodeAsync(byte[] encoded, int size, FitMode fit, TimeSpan patience, CancellationToken cancellationToken)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(patience);
            try
            {
                await RequestAsync(encoded, size, fit, limit.Token);
                return await AnswerAsync(size, limit.Token);
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

        /// <summary>The runtime that this process runs on: a service may have been started by a program of its own.</summary>
        private static string Host() => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));

        private async Task RequestAsync(byte[] encoded, int size, FitMode fit, CancellationToken cancellationToken)
        {
            var head = new byte[3 * sizeof(int)];
            BitConverter.TryWriteBytes(head, encoded.Length);
            BitConverter.TryWriteBytes(head.AsSpan(sizeof(int)), size);
            BitConverter.TryWriteBytes(head.AsSpan(2 * sizeof(int)), (int)fit);
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
            return rejected ? throw new ImageRejectedException(Encoding.UTF8.GetString(content)) : new SquareImage(first, second, content);
        }
    }
}
