namespace Distributed.Benchmarks;

/// <summary>Peers in Python, where they are installed; a script that fails to import is a peer that is not there.</summary>
internal static class Python
{
    /// <summary>Debian's, whose packages hold the peers; on other systems, such as one with a GPU, DISTRIBUTED_BENCHMARK_PYTHON names it.</summary>
    public static string Path { get; } =
        Environment.GetEnvironmentVariable("DISTRIBUTED_BENCHMARK_PYTHON") is { Length: > 0 } path ? path : "/usr/bin/python3";

    /// <summary>PyTorch's DenseNet-121 with channels last, the faster layout, at the better of two batch sizes.</summary>
    public const string Torch = """
        import sys, time, torch, torchvision
        size = int(sys.argv[1])
        net = torchvision.models.densenet121().features.eval().to(memory_format=torch.channels_last)
        def run(images):
            with torch.inference_mode():
                torch.relu(net(images)).mean((2, 3))
        def rate(images, seconds):
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                run(images)
                done += len(images)
            return done / (time.perf_counter() - start)
        batches = [torch.randn(n, 3, size, size).contiguous(memory_format=torch.channels_last) for n in (8, 32)]
        for images in batches:
            run(images)
        best = max(batches, key=lambda images: rate(images, 1.0))
        print(f"ready PyTorch {torch.__version__}, fp32, channels last, batch {len(best)}", flush=True)
        for _ in sys.stdin:
            print(rate(best, 1.5), flush=True)
        """;

    /// <summary>The same on a GPU in bfloat16, from uint8 images in pinned memory to features in the host's memory, at the best of some batch sizes.</summary>
    public const string TorchOnGpu = """
        import sys, time, torch, torchvision
        assert torch.cuda.is_available()
        size = int(sys.argv[1])
        net = torchvision.models.densenet121().features.eval().cuda().bfloat16().to(memory_format=torch.channels_last)
        mean = torch.tensor([0.485, 0.456, 0.406], device="cuda") * 255
        deviation = torch.tensor([0.229, 0.224, 0.225], device="cuda") * 255
        def run(images):
            with torch.inference_mode():
                pixels = ((images.cuda(non_blocking=True).float() - mean) / deviation).bfloat16().permute(0, 3, 1, 2)
                return torch.relu(net(pixels)).mean((2, 3), dtype=torch.float32).cpu()
        def rate(images, seconds):
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                run(images)
                done += len(images)
            return done / (time.perf_counter() - start)
        batches = [torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8).pin_memory() for n in (64, 256, 512, 1024)]
        for images in batches:
            run(images)
        best = max(batches, key=lambda images: rate(images, 0.7))
        print(f"ready PyTorch {torch.__version__} on {torch.cuda.get_device_name()}, bf16, channels last, batch {len(best)}", flush=True)
        for _ in sys.stdin:
            print(rate(best, 1.5), flush=True)
        """;

    /// <summary>
    /// scikit-learn's logistic regression along the penalties, warm-started, at the loosest of some tolerances at which no
    /// objective is farther than 1e-6 from the smallest, or at the tightest of them.
    /// </summary>
    public const string LogisticRegression = """
        import sys, time, warnings, pathlib, numpy, sklearn
        from sklearn.linear_model import LogisticRegression
        warnings.simplefilter("ignore")
        folder = pathlib.Path(sys.argv[1])
        y = numpy.fromfile(folder / "labels.u8", numpy.uint8).astype(int)
        x = numpy.fromfile(folder / "features.f32", numpy.float32).reshape(len(y), -1)
        x, y = x[:4500].astype(float), y[:4500]
        spread = x.std(0)
        x = (x - x.mean(0)) / numpy.where(spread == 0, 1, spread)
        penalties, smallest = (numpy.loadtxt(folder / name) for name in ("penalties.txt", "objectives.txt"))
        def objective(model, penalty):
            logits = x @ model.coef_.T + model.intercept_
            logits -= logits.max(1, keepdims=True)
            loss = (numpy.log(numpy.exp(logits).sum(1)) - logits[numpy.arange(len(y)), y]).mean()
            return loss + 0.5 * penalty * (model.coef_ ** 2).sum()
        for tolerance in (1e-4, 1e-5, 1e-6, 1e-7):
            model = LogisticRegression(warm_start=True, tol=tolerance, max_iter=100_000)
            seconds, gap = 0, 0
            for penalty, best in zip(penalties, smallest):
                model.C = 1 / (len(y) * penalty)
                start = time.perf_counter()
                model.fit(x, y)
                seconds += time.perf_counter() - start
                gap = max(gap, objective(model, penalty) / best - 1)
                if gap > 1e-6 and tolerance > 1e-7:
                    break
            else:
                break
        # Debian's default is the reference BLAS, which is several times slower than OpenBLAS and computes on one core.
        blas = "OpenBLAS" if "openblas" in pathlib.Path("/proc/self/maps").read_text() else "reference BLAS"
        print(f"ready scikit-learn {sklearn.__version__} on {blas}, L-BFGS, tolerance {tolerance:g}, gap {gap:.1e}", flush=True)
        for _ in sys.stdin:
            print(seconds, flush=True)
        """;

    /// <summary>scikit-learn's logistic regression with one penalty on all but the test images of a folder.</summary>
    public const string OnePenalty = """
        import sys, time, warnings, pathlib, numpy, sklearn
        from sklearn.linear_model import LogisticRegression
        warnings.simplefilter("ignore")
        folder = pathlib.Path(sys.argv[1])
        y = numpy.fromfile(folder / "labels.i32", numpy.int32)
        x = numpy.fromfile(folder / "features.f32", numpy.float32).reshape(len(y), -1).astype(float)
        train, count = map(int, (folder / "split.txt").read_text().split())
        spread = x[:train].std(0)
        x = (x - x[:train].mean(0)) / numpy.where(spread == 0, 1, spread)
        penalty = float((folder / "penalty.txt").read_text())
        start = time.perf_counter()
        model = LogisticRegression(C=1 / (count * penalty), max_iter=10_000).fit(x[:count], y[:count])
        seconds = time.perf_counter() - start
        print(f"ready scikit-learn {sklearn.__version__}, L-BFGS, one penalty, accuracy {model.score(x[count:], y[count:]):.3f}", flush=True)
        for _ in sys.stdin:
            print(seconds, flush=True)
        """;

    /// <summary>scikit-learn: probabilities of every image by linear discriminant analysis of the other folds.</summary>
    public const string DiscriminantAnalysis = """
        import sys, time, numpy, sklearn
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        from sklearn.model_selection import cross_val_predict
        labels = numpy.fromfile(sys.argv[1] + "/labels-0.i32", numpy.int32)
        features = numpy.fromfile(sys.argv[1] + "/features.f32", numpy.float32).reshape(len(labels), -1)
        print(f"ready scikit-learn {sklearn.__version__}, LDA, five folds", flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            cross_val_predict(LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1), features, labels, cv=5, method="predict_proba")
            print(time.perf_counter() - start, flush=True)
        """;

    /// <summary>scikit-learn: wrong labels, in percent, among the first 5 % by their probability in five folds.</summary>
    public const string WrongLabels = """
        import sys, math, numpy, sklearn
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        truth = numpy.fromfile(sys.argv[1] + "/labels-0.i32", numpy.int32)
        features = numpy.fromfile(sys.argv[1] + "/features.f32", numpy.float32).reshape(len(truth), -1)
        print(f"ready scikit-learn {sklearn.__version__}, logistic regression, five folds", flush=True)
        for _ in sys.stdin:
            shares = []
            for drawing in range(1, 11):
                labels = numpy.fromfile(f"{sys.argv[1]}/labels-{drawing}.i32", numpy.int32)
                model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
                probabilities = cross_val_predict(model, features, labels, cv=5, method="predict_proba")
                own = probabilities[numpy.arange(len(labels)), numpy.searchsorted(numpy.unique(labels), labels)]
                first = numpy.argsort(own, kind="stable")[: math.ceil(0.05 * len(labels))]
                shares.append(100 * (labels != truth)[first].sum() / (labels != truth).sum())
            print(numpy.mean(shares), flush=True)
        """;

    /// <summary>PIL: decoding, shorter side to a size with the bicubic filter, centre crop.</summary>
    public const string Pil = """
        import io, sys, time, PIL
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        from PIL import Image
        import os
        files = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
        size = int(sys.argv[2])
        def fit(data):
            image = Image.open(io.BytesIO(data)).convert("RGB")
            scale = size / min(image.size)
            image = image.resize([max(size, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC)
            left, top = (image.width - size) // 2, (image.height - size) // 2
            return image.crop((left, top, left + size, top + size)).tobytes()
        pool = ThreadPoolExecutor(os.cpu_count())
        list(pool.map(fit, files))
        print(f"ready PIL {PIL.__version__}, {os.cpu_count()} threads", flush=True)
        for _ in sys.stdin:
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < 1.5:
                done += len(list(pool.map(fit, files)))
            print(done / (time.perf_counter() - start), flush=True)
        """;

    /// <summary>
    /// PIL in a process a core: each reads, hashes, decodes and resamples files in turn and packs their pixels into a file of its own. A JPEG is decoded as
    /// small as leaves twice the size.
    /// </summary>
    public const string PilIngestion = """
        import hashlib, multiprocessing, os, sys, time, PIL
        from pathlib import Path
        from PIL import Image
        source, size, target = sys.argv[1], int(sys.argv[2]), sys.argv[3]
        def scaled(image):
            shorter = min(image.size)
            return [max(int(size * side / shorter), size) for side in image.size]
        def pack(part):
            number, files = part
            hashes = []
            with open(f"{target}-{number}", "wb") as packed:
                for file in files:
                    with open(file, "rb") as opened:
                        data = opened.read()
                        hashes.append(hashlib.sha256(data).hexdigest())
                        opened.seek(0)
                        image = Image.open(opened)
                        image.draft(None, [2 * side for side in scaled(image)])
                        image = image.convert("RGB").resize(scaled(image), Image.Resampling.BICUBIC)
                    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
                    packed.write(image.crop((left, top, left + size, top + size)).tobytes())
            return hashes
        def ingest():
            files = sorted(Path(source).glob("*/*.jpg"))
            length = max(1, min(250, len(files) // (2 * cores)))
            parts = [files[at:at + length] for at in range(0, len(files), length)]
            return sum(len(hashes) for hashes in pool.imap_unordered(pack, enumerate(parts)))
        cores = os.cpu_count()
        pool = multiprocessing.Pool(cores)
        ingest()
        print(f"ready PIL {PIL.__version__} with draft, {cores} processes", flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            done = ingest()
            print(done / (time.perf_counter() - start), flush=True)
        """;
}
