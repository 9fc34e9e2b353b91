using Distributed.Contracts;
using Distributed.Datasets.Imaging;
using Distributed.Imaging;
using Distributed.Messaging;
using Distributed.Serving;

namespace Distributed.Evaluation;

/// <summary>Answers requests for predictions.</summary>
internal sealed class PredictImagesHandler(Predictor predictor, IsolatedImageDecoding isolated)
    : IRequestHandler<PredictImages, ImagesPredicted>
{
    public Task<ImagesPredicted> HandleAsync(PredictImages request, bool isRedelivered, CancellationToken cancellationToken)
    {
        // A worker may have died over one of its images: this one must not.
        IImageDecoding decoding = isRedelivered ? isolated : LocalImageDecoding.Default;
        return predictor.PredictAsync(request, decoding, cancellationToken);
    }
}
