using System.Diagnostics;
using System.Globalization;
using Distributed.Contracts;
using Distributed.Datasets.Imaging;
using Distributed.Imaging;
using Distributed.Ingestion;
using Distributed.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.FragileIngestion;

/// <summary>The ingestion service with a codec that some files kill or hold up. Without arguments it is the program that decodes apart from the host.</summary>
public static class Program
{
    /// <summary>What a file that kills holds.</summary>
    public static ReadOnlySpan<byte> Killing => "this file ends the process that decodes it"u8;

    /// <summary>What a file that takes for ever holds.</summary>
    public static ReadOnlySpan<byte> Endless => "this file is never decoded"u8;

    /// <summary>What a file holds that kills the host, wherever it is decoded.</summary>
    public static ReadOnlySpan<byte> Fatal => "this file ends the host that has it decoded"u8;

    public static async Task<int> Main(string[] arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments.Length == 0)
        {
            var host = ParentId();
            DecodingServer.Run(
                Console.OpenStandardInput(),
                Console.OpenStandardOutput(),
                (encoded, preparation) => Decode(encoded, preparation, host)
            );
            return 0;
        }

        return await ServiceHost.RunAsync(
            arguments[1..],
            "ingestion",
            defaultPort: 8081,
            IngestionModule.DescribeSettings,
            (builder, consumers) =>
            {
                builder.Services.AddSingleton(
                    new ImageDecodings(
                        new LocalImageDecoding((encoded, preparation) => Decode(encoded, preparation, Environment.ProcessId)),
                        () => Isolate(TimeSpan.FromMinutes(1))
                    )
                );
                builder.AddIngestion(consumers);
            }
        );
    }

    /// <summary>Decodes in processes of this program.</summary>
    public static IsolatedImageDecoding Isolate(TimeSpan patience) => new(typeof(Program).Assembly.Location, patience);

    /// <param name="encoded">The file.</param>
    /// <param name="preparation">What becomes of it.</param>
    /// <param name="host">The process id of the host, where it is decoded apart from it, too.</param>
    private static SquareImage Decode(ReadOnlySpan<byte> encoded, ImagePreparation preparation, int host)
    {
        if (encoded.IndexOf(Fatal) >= 0)
        {
            Process.GetProcessById(host).Kill();
        }

        if (encoded.IndexOf(Killing) >= 0)
        {
            // As a codec does that writes where it must not, or takes all memory: without a word.
            Process.GetCurrentProcess().Kill();
        }

        if (encoded.IndexOf(Endless) >= 0)
        {
            Thread.Sleep(Timeout.Infinite);
        }

        return ImageDecoder.Decode(encoded, preparation);
    }

    /// <summary>The process that started this one: the fourth field of its status, after a name in brackets.</summary>
    private static int ParentId()
    {
        var status = File.ReadAllText("/proc/self/stat");
        return int.Parse(
            status[(status.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture
        );
    }
}
