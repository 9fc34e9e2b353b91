using Distributed.Datasets.Imaging;
using Distributed.Jobs;
using Distributed.Pipeline;

namespace Distributed.Ingestion;

/// <summary>
/// A known image is decoded before any other, apart from this process and in it. A later failure is reported of an image, and no image is
/// blamed for a missing library.
/// </summary>
internal sealed class DecodingCheck(ImageDecodings decodings) : IHostCheck
{
    public string Name => "decoding";

    public string? Resource => RunStages.Images;

    public async Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Apart first: what would end this process ends the other.
            await using (var isolated = decodings.Isolate())
            {
                await KnownImage.ProveAsync(isolated, cancellationToken);
            }

            await KnownImage.ProveAsync(decodings.Local, cancellationToken);
            return HostCheckResult.Passed;
        }
        catch (DecoderUnavailableException exception)
        {
            return HostCheckResult.Broken(exception.Message);
        }
    }
}
