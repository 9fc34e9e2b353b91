using System.Diagnostics;
using Distributed.Datasets;
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

    public static async Task Main(string[] arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments.Length == 0)
        {
            DecodingServer.Run(Console.OpenStandardInput(), Console.OpenStandardOutput(), Decode);
            return;
        }

        await ServiceHost.RunAsync(arguments, "ingestion", defaultPort: 8081, (builder, consumers) =>
        {
            builder.Services.AddSingleton(new ImageDecodings(new LocalImageDecoding(Decode), () => Isolate(TimeSpan.FromMinutes(1))));
            builder.AddIngestion(consumers);
        });
    }

    /// <summary>Decodes in processes of this program.</summary>
    public static IsolatedImageDecoding Isolate(TimeSpan patience) => new(typeof(Program).Assembly.Location, patience);

    private static RgbImage Decode(ReadOnlySpan<byte> encoded)
    {
        if (encoded.IndexOf(Killing) >= 0)
        {
            // As a codec does that writes where it must not, or takes all memory: without a word.
            Process.GetCurrentProcess().Kill();
        }

        if (encoded.IndexOf(Endless) >= 0)
        {
            Thread.Sleep(Timeout.Infinite);
        }

        return ImageDecoder.Decode(encoded);
    }
}
