using Distributed.Vision.Export;
using Distributed.Vision.Weights;

namespace Distributed.Vision.Onnx;

/// <summary>
/// Puts tensors that a model keeps in files beside it into the model: so that it has one hash, and one file to bring to every worker
/// (https://onnx.ai/onnx/repo-docs/ExternalData.html).
/// </summary>
/// <param name="folder">The model's folder, in which alone files are read.</param>
/// <param name="source">What errors call the model.</param>
internal sealed class OnnxExternalData(string folder, string source)
{
    private const int GraphOfModel = 7,
        TensorOfGraph = 5;

    private const int ShapeOfTensor = 1,
        TypeOfTensor = 2,
        NameOfTensor = 8,
        BytesOfTensor = 9;

    /// <summary>The model with all tensors in it.</summary>
    /// <param name="model">A ModelProto.</param>
    /// <returns>The same bytes where none is elsewhere.</returns>
    /// <exception cref="WeightsException">It is damaged, a file is missing or not in the folder, or all is beyond what a message may hold.</exception>
    public byte[] Inline(byte[] model)
    {
        if (!HasExternal(model))
        {
            return model;
        }

        var reader = new ProtobufReader(model, source);
        var inlined = new ProtobufWriter();
        try
        {
            while (reader.Next() is not 0 and var field)
            {
                if (field == GraphOfModel)
                {
                    inlined.Message(field, InlineGraph(reader.Message()));
                }
                else
                {
                    inlined.Raw(reader.Field().Span);
                }
            }

            return inlined.Written.ToArray();
        }
        catch (OutOfMemoryException exception)
        {
            throw new WeightsException(
                $"{source} has more than 2 GB with the tensors beside it. Export a smaller model, or one in float16.",
                exception
            );
        }
    }

    private bool HasExternal(byte[] model)
    {
        var reader = new ProtobufReader(model, source);
        while (reader.Next() is not 0 and var field)
        {
            if (field != GraphOfModel)
            {
                reader.Skip();
                continue;
            }

            var graph = reader.Message();
            while (graph.Next() is not 0 and var part)
            {
                if (part != TensorOfGraph)
                {
                    graph.Skip();
                }
                else if (OnnxTensor.Read(graph.Message()).Location is not null)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private ProtobufWriter InlineGraph(ProtobufReader graph)
    {
        var inlined = new ProtobufWriter();
        while (graph.Next() is not 0 and var field)
        {
            if (field != TensorOfGraph)
            {
                inlined.Raw(graph.Field().Span);
                continue;
            }

            var message = graph.Bytes();
            if (OnnxTensor.Read(new ProtobufReader(message, source)) is { Location: { } location } tensor)
            {
                inlined.Message(field, Write(tensor, Read(tensor, location)));
            }
            else
            {
                inlined.Bytes(field, message.Span);
            }
        }

        return inlined;
    }

    private static ProtobufWriter Write(OnnxTensor tensor, byte[] bytes)
    {
        var message = new ProtobufWriter();
        foreach (var extent in tensor.Shape)
        {
            message.Integer(ShapeOfTensor, extent);
        }

        return message.Integer(TypeOfTensor, tensor.ElementType).Text(NameOfTensor, tensor.Name).Bytes(BytesOfTensor, bytes);
    }

    private byte[] Read(OnnxTensor tensor, string location)
    {
        using var stream = Open(location);
        var length = tensor.Length ?? (stream.Length - tensor.Offset);
        if (tensor.Offset < 0 || length < 0 || length > Array.MaxLength || tensor.Offset > stream.Length - length)
        {
            throw new WeightsException(
                $"The tensor '{tensor.Name}' of {source} lies beyond the end of '{location}'. Download or export both files again."
            );
        }

        var bytes = new byte[length];
        stream.Position = tensor.Offset;
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Only what stands in the model's own folder is read: a path that leads elsewhere is an attack or a mistake.</summary>
    private FileStream Open(string location)
    {
        var path = Path.Combine(folder, location);
        if (location != Path.GetFileName(location) || location is "" or "." or ".." || new FileInfo(path) is { LinkTarget: not null })
        {
            throw new WeightsException(
                $"{source} has tensors in '{location}', which is no file of its own folder. Put that file beside it and export the model again."
            );
        }

        try
        {
            return File.OpenRead(path);
        }
        catch (FileNotFoundException exception)
        {
            throw new WeightsException(
                $"{source} has tensors in '{location}', which is not beside it. Put both files in one folder.",
                exception
            );
        }
    }
}
