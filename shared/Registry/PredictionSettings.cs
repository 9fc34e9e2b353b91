using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Networks;

namespace Distributed.Registry;

/// <summary>The settings of a run that predicts with a model: images go through what the model's training images went through.</summary>
public static class PredictionSettings
{
    /// <summary>What is wrong with a specification whose model cannot be used, by its field.</summary>
    /// <param name="exception">Why it cannot.</param>
    public static SpecificationError Describe(RegistryException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return exception.Field is { } field
            ? new SpecificationError(field, exception.Message.TrimEnd('.'))
            : new SpecificationError("model", $"cannot be used: {exception.Message.TrimEnd('.')}");
    }

    /// <summary>Gives a specification the settings of the version that it predicts with.</summary>
    /// <param name="specification">What was asked for; its model may be named by an alias.</param>
    /// <param name="version">The version that is meant.</param>
    /// <returns>The specification with the version's number, and with the backbone, input size, fit, decoding and precision of its images.</returns>
    /// <exception cref="RegistryException">A setting that was given is not the model's.</exception>
    public static RunSpecification Apply(RunSpecification specification, ModelVersion version)
    {
        ArgumentNullException.ThrowIfNull(specification);
        ArgumentNullException.ThrowIfNull(version);
        var lineage = ModelLineage.Read(version.Lineage);
        var reference = FormattableString.Invariant($"{version.ModelName}@{version.Number}");
        var applied = specification with
        {
            Model = reference,
            Backbone = lineage.Backbone.Source,
            // Of an ONNX file, the name is its own and none that can be asked for.
            Architecture = NetworkArchitecture.All.Any(known => known.Name == lineage.Backbone.Architecture)
                ? lineage.Backbone.Architecture
                : null,
            InputSize = lineage.Features.InputSize,
            Fit = ChoiceName.Parse<FitMode>(lineage.Features.Fit),
            Decoding = ChoiceName.Parse<JpegDecoding>(lineage.Features.Decoding),
            CropShare = lineage.Features.CropShare,
            Resampling = ChoiceName.Parse<ResampleFilter>(lineage.Features.Resampling),
            Flip = lineage.Features.Flip,
            Crops = ChoiceName.Parse<ImageCrops>(lineage.Features.Crops),
            Precision = ChoiceName.Parse<Precision>(lineage.Features.Precision),
        };
        // The input size that nobody gave follows the backbone.
        var defaults = new RunSpecification() with
        {
            Backbone = specification.Backbone,
        };
        var usual = new RunSpecification();
        foreach (var setting in RunSettings.All.Where(setting => setting.TextOf(applied) != setting.TextOf(specification)))
        {
            var given = setting.TextOf(specification);
            if (setting.Field != "model" && given != setting.TextOf(setting.Field == "backbone" ? usual : defaults))
            {
                throw new RegistryException(
                    RegistryProblem.Invalid,
                    $"is {RunSpecificationRules.Shown(given)}, and the images of {reference} went through {setting.TextOf(applied)}; leave it out",
                    setting.Field
                );
            }
        }

        return applied;
    }
}
