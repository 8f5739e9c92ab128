"""Train a multilayer perceptron on a data set or on your own file.

Without --backend (and without MULTIMLP_BACKEND) every installed backend is trained in turn, from the same
parameters on the same batches, and compared with NumPy in float64.

example:
  multimlp train digits
  multimlp train iris --backend torch --hidden 32 --epochs 100 --save iris.safetensors
  multimlp train houses.csv --target price --backend jax,torch --json
  multimlp train digits --backend numpy --plot curve.png
  multimlp train people.csv --target income --model realmlp --save model.safetensors
  multimlp train people.csv --target income --model tabm --output quantile --levels 0.1,0.5,0.9
  multimlp train digits --backend numpy --processes 2
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from multimlp import data, files, losses, optimizers, regularizers
from multimlp._terminal import print_table, print_text
from multimlp.backend import CHECKERS, available_backends, load_backend
from multimlp.callbacks import EarlyStopping
from multimlp.cli import INTERRUPTED, card, tables
from multimlp.cli.common import add_common, file_name, note, print_json
from multimlp.cli.comparison import Run, Trainer, on_rounding, train_all
from multimlp.cli.curve import check_plot, draw_curves
from multimlp.cli.pipeline import Pipeline
from multimlp.distributed import is_main
from multimlp.errors import DataError, InputError
from multimlp.errors.checks import check_number, check_whole
from multimlp.errors.close import did_you_mean
from multimlp.files import check_apart, check_writable, require_package
from multimlp.frames import Features
from multimlp.mlp import DEFAULT_ACTIVATION, MLP

FEW, MANY, MANY_ROWS = (60, 32), (10, 128), 10_000
"""Default epochs and batch size, for fewer rows than that and for more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        type=file_name,
        metavar="DATASET|FILE",
        help=f"{', '.join(data.names())}; or .csv, .parquet, .npz, X.npy, ...",
    )
    source = parser.add_argument_group("data")
    source.add_argument(
        "--target",
        metavar="COLUMN",
        help="column to predict (default: the one called target, label, class or y)",
    )
    source.add_argument(
        "--task", choices=("classification", "regression"), help="what the target is (default: as it looks)"
    )
    source.add_argument(
        "--folder", type=file_name, metavar="PATH", help="folder with the files of mnist or fashion-mnist"
    )
    source.add_argument(
        "--test-size",
        type=float,
        metavar="F",
        help="fraction of the rows set aside for the test (default: 0.2)",
    )
    tables.add_table_arguments(source)
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        choices=tables.MODELS,
        default="mlp",
        help="realmlp and tabm: networks for tables, with all settings tuned (default: mlp)",
    )
    tables.add_output_arguments(model)
    model.add_argument(
        "--hidden",
        type=int,
        nargs="*",
        metavar="N",
        help="widths of the hidden layers (default: 128, or the model's)",
    )
    model.add_argument(
        "--activation",
        default=DEFAULT_ACTIVATION,
        metavar="NAME",
        help=f"of the hidden layers (default: {DEFAULT_ACTIVATION}), such as tanh, gelu, silu",
    )
    model.add_argument(
        "--dropout",
        type=float,
        default=0.0,
        metavar="F",
        help="fraction of hidden units left out while training (default: 0)",
    )
    fitting = parser.add_argument_group("training")
    fitting.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help=f"passes over the rows (default: {FEW[0]}, or {MANY[0]} from {MANY_ROWS} rows on)",
    )
    fitting.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help=f"rows of a step (default: {FEW[1]}, or {MANY[1]} from {MANY_ROWS} rows on)",
    )
    fitting.add_argument("--learning-rate", type=float, metavar="F", help="default: the optimiser's")
    fitting.add_argument(
        "--optimizer",
        default="adam",
        metavar="NAME",
        help="adam (default), adamw, sgd, rmsprop, lion, lbfgs, ...",
    )
    fitting.add_argument("--loss", metavar="NAME", help="default: cross_entropy for classes, mse for numbers")
    fitting.add_argument(
        "--l2", type=float, default=0.0, metavar="F", help="weight of the L2 penalty (default: 0)"
    )
    tables.add_validation_arguments(fitting)
    fitting.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed, the same run (default: 0)"
    )
    sharing = parser.add_argument_group("more than one process")
    sharing.add_argument(
        "--processes", type=int, metavar="N", help="start N on this machine, which share the work"
    )
    sharing.add_argument(
        "--restarts",
        type=int,
        metavar="N",
        help="if one fails, start all again from --checkpoint, N times at most",
    )
    sharing.add_argument(
        "--devices",
        metavar="N|all|NAMES",
        help="what shares the work: all processes that torchrun, mpiexec or srun started, so many, or devices by name "
        "(default: one device)",
    )
    sharing.add_argument(
        "--shards", type=int, metavar="N", help="the same bits on every number of processes that divides N"
    )
    sharing.add_argument(
        "--checkpoint",
        type=file_name,
        metavar="FILE",
        help="written after each epoch; a run goes on from it, if it is there",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--save", type=file_name, metavar="FILE", help="write the model of the first backend (.safetensors)"
    )
    output.add_argument(
        "--plot", type=file_name, metavar="FILE", help="draw the learning curves (.png or .svg)"
    )
    output.add_argument(
        "--card",
        type=file_name,
        metavar="FILE",
        help="write data, settings, versions and scores as JSON (default: beside --save, as NAME.card.json)",
    )
    output.add_argument(
        "--reference",
        action="store_true",
        help="also compare with NumPy in float64, where one backend is named",
    )
    output.add_argument("--verbose", action="store_true", help="a line for each epoch on standard error")
    output.add_argument("--no-progress", action="store_true", help="no progress bar")
    add_common(parser, "name of a backend, or several: torch,jax (default: all that are installed)")


def run(args: argparse.Namespace) -> int:
    tables.check_options(args)
    if args.test_size is not None:
        check_number("--test-size", args.test_size, low=0, high=1, low_open=True, high_open=True)
    if args.model != "mlp":
        from multimlp.cli import tabular  # needs scikit-learn

        return tabular.run(args)
    names, chosen = _backends(args.backend)
    for file, what in ((args.save, "--save"), (args.checkpoint, "--checkpoint")):
        if file is not None:
            require_package()
            check_writable(file, what)
            check_apart(file, *_read_files(args), what=what)
    if args.plot is not None:
        check_plot(args.plot, *_read_files(args))
    card.check_card(args, *_read_files(args))
    if args.checkpoint is not None and (len(names) > 1 or args.reference):
        raise InputError(
            f"--checkpoint: belongs to one run, but {len(names) + args.reference} would be trained; name one --backend and leave out "
            "--reference"
        )
    if args.processes is not None:
        return _launch(args)
    if args.restarts is not None:
        raise InputError(
            "--restarts: starts the processes of --processes again; give --processes N too, or leave it out"
        )
    train, test, features = _parts(args)
    loss = losses.get(args.loss or ("cross_entropy" if train.task == "classification" else "mse"))
    pipeline = Pipeline.fit(train, loss, features)
    mlp = MLP(
        train.X.shape[1],
        [128] if args.hidden is None else args.hidden,
        pipeline.out_features,
        activation=args.activation,
        dropout=args.dropout,
    )
    trainer = Trainer(mlp, pipeline, train, test, _fit_options(args, len(train)), args.device, args.verbose)
    runs, skipped = train_all(
        trainer, names, args.dtype, reference=args.reference or len(names) > 1, skip_broken=not chosen
    )
    finished = [one for one in runs if not one.is_reference]
    interrupted = any(one.stopped == "interrupted" for one in runs)
    if not is_main():  # all have the same results, and one shows them
        return INTERRUPTED if interrupted else 0
    if args.save is not None and finished:
        files.save(args.save, mlp, finished[0].params, pipeline.to_dict())
    saved = args.save if finished else None
    drawn = [one for one in runs if one.history.get("loss")] if args.plot is not None else []
    if drawn:
        draw_curves(args.plot, {one.label: one.history for one in drawn}, trainer.train.description)
    written = _write_card(args, trainer, finished[0]) if finished else None
    if args.json:
        print_json(_summary(args, trainer, runs, skipped, saved))
    else:
        _print_report(trainer, runs)
    if drawn and not args.json:
        print(f"drew the learning curves in {args.plot}")
    if written is not None and not args.json:
        print(f"wrote the model card {written}")
    if saved is not None and not args.json:
        print(f"saved {saved} (trained on {finished[0].backend}); predict with:")
        print(f"  multimlp predict {saved} NEW.csv -o predictions.csv")
    if interrupted:
        note(f"interrupted; {f'saved {saved}' if saved else 'nothing was saved'}")
    return INTERRUPTED if interrupted else 0


def _launch(args: argparse.Namespace) -> int:
    """The same command in several processes."""
    from multimlp.distributed import launch, python_command

    processes = check_whole("--processes", args.processes, low=1, high=4096)
    restarts = 0 if args.restarts is None else check_whole("--restarts", args.restarts, low=0)
    if restarts and args.checkpoint is None:
        raise InputError(
            "--restarts: needs --checkpoint FILE, from which the processes that are started again go on"
        )
    if args.devices not in (None, "all", str(processes)):
        raise InputError(f"--devices: all {processes} processes of --processes share the work; leave it out")
    name, *given = _without(args.given, "--processes", "--restarts", "--devices")
    command = python_command(
        "from multimlp.cli import main; sys.exit(main())", name, "--devices", "all", *given
    )
    return launch(command, processes, restarts=restarts, note=note)


def _without(arguments: list[str], *options: str) -> list[str]:
    """The arguments without some options, which have a value each."""
    kept: list[str] = []
    skip = False
    for word in arguments:
        if skip or word.partition("=")[0] in options:
            skip = not skip and "=" not in word
        else:
            kept.append(word)
    return kept


def _backends(named: str | None) -> tuple[list[str], bool]:
    """The backends to train on, and whether somebody chose them."""
    choice = named if named is not None else os.environ.get("MULTIMLP_BACKEND", "").strip()
    if choice or named is not None:
        return [load_backend(name.strip()).name for name in choice.split(",")], True
    installed = [name for name, info in available_backends().items() if info.installed]
    return [name for name in installed if name not in CHECKERS], False


def _read_files(args: argparse.Namespace) -> list[str]:
    """The files that the data come from."""
    if not data.is_name(args.data):
        return data.table_files(args.data)
    return (
        [entry.path for entry in os.scandir(args.folder)]
        if args.folder and Path(args.folder).is_dir()
        else []
    )


def _parts(args: argparse.Namespace) -> tuple[data.Dataset, data.Dataset, Features | None]:
    """To train and to test, and what makes features of the columns of a table."""
    if tables.is_table(args):
        return tables.parts(args)
    return *data.split(_dataset(args), args.test_size, args.seed), None


def _dataset(args: argparse.Namespace) -> data.Dataset:
    if data.is_name(args.data):
        if args.target is not None or args.task is not None:
            raise InputError(
                f"--target and --task are for files; the data set {args.data!r} has its own, so leave them out"
            )
        return data.load(args.data, args.folder)
    if not Path(args.data).suffix:
        known = data.names()
        raise DataError(
            f"{args.data!r} is neither a data set ({', '.join(known)}) nor a file{did_you_mean(args.data, known)}"
        )
    return data.read_table(args.data, args.target, args.task)


def _fit_options(args: argparse.Namespace, rows: int) -> dict[str, object]:
    epochs, batch_size = FEW if rows < MANY_ROWS else MANY
    rate = {} if args.learning_rate is None else {"learning_rate": args.learning_rate}
    return {
        "optimizer": optimizers.get({"name": args.optimizer, "options": rate}),
        "epochs": args.epochs if args.epochs is not None else epochs,
        "batch_size": args.batch_size if args.batch_size is not None else batch_size,
        "seed": args.seed,
        "regularizer": regularizers.l2(check_number("--l2", args.l2, low=0)) if args.l2 else None,
        "progress": not args.no_progress,
        "validation": _validation(args),
        "callbacks": [] if args.patience is None else [partial(EarlyStopping, patience=args.patience)],
        "devices": args.devices,
        "shards": args.shards,
        "checkpoint": args.checkpoint,
    }


def _validation(args: argparse.Namespace) -> float | None:
    """The fraction held out while training; None for nothing."""
    if args.validation is None:
        return None if args.patience is None else 0.1
    fraction = check_number("--validation", args.validation, low=0, high=1, high_open=True)
    if not fraction and args.patience is not None:
        raise InputError(
            "--patience: needs rows to judge epochs by, but --validation is 0; give it a fraction above 0"
        )
    return fraction or None


def _write_card(args: argparse.Namespace, trainer: Trainer, run: Run) -> str | None:
    pipeline = trainer.pipeline
    rows = {"train": len(trainer.train), "test": len(trainer.test)}
    last = {name: values[-1] for name, values in run.history.items() if values}
    metric = pipeline.metric
    scores = {
        "train": {"loss": run.loss, metric: run.train_score},
        "validation": {name.removeprefix("val_"): v for name, v in last.items() if name.startswith("val_")},
        "test": {metric: run.score},
    }
    return card.write_card(
        args,
        run.backend,
        card.described(
            None if pipeline.table is None else pipeline.table.schema,
            rows,
            target=args.target,
            task=pipeline.task,
            classes=pipeline.classes,
        ),
        {
            "kind": "mlp",
            **trainer.mlp.to_spec(),
            "parameters": trainer.mlp.num_parameters,
            "dtype": run.dtype,
        },
        scores,
        run.history,
    )


def _print_report(trainer: Trainer, runs: list[Run]) -> None:
    """As narrow as it can be, so that it stays in one piece at 80 columns: what is the same in all rows stands below."""
    compared = any(one.is_reference for one in runs)
    devices = {one.device for one in runs}
    columns = ["backend", "dtype", "engine", "loss", f"test {trainer.pipeline.metric}", "seconds"]
    rows: list[list[object]] = [
        [one.backend, one.dtype, one.engine, one.loss, one.score, one.seconds] for one in runs
    ]
    if len(devices) > 1:
        columns.insert(1, "device")
        for row, one in zip(rows, runs, strict=True):
            row.insert(1, one.device)
    if compared:
        columns += ["d params", "d outputs"]
        for row, one in zip(rows, runs, strict=True):
            differences = one.parameter_difference, one.output_difference
            row += ["reference"] * 2 if one.is_reference else differences
    print_text(
        f"{trainer.train.description}: {len(trainer.train)} rows to train, {len(trainer.test)} to test"
    )
    print_text(f"{trainer.mlp}: {trainer.mlp.num_parameters} parameters")
    print_table(columns, rows)
    place = ""
    if len(devices) == 1:
        place = f"{'; all' if len(runs) > 1 else ''} on {devices.pop()}"
    versions = dict.fromkeys(f"{one.backend} {one.version}" for one in runs)
    print_text(f"{', '.join(versions)}{place}")
    for one in runs:
        if one.group is not None and one.group.processes > 1:
            part = one.group.communicating
            share = "sums are inside of the compiled program"
            if part is not None:
                share = f"{part:.0%} of the time of the steps went into communicating"
            print_text(
                f"{one.backend}: shared by {one.group.processes} processes ({one.group.carrier}); {share}"
            )
    if compared:
        print_text("d: the largest absolute difference from the reference, NumPy in float64.")
        remark = on_rounding(trainer.mlp, runs)
        if remark:
            print_text(remark)


def _summary(
    args: argparse.Namespace, trainer: Trainer, runs: list[Run], skipped: dict[str, str], saved: str | None
) -> dict[str, object]:
    return {
        "data": trainer.train.description,
        "task": trainer.train.task,
        "rows": {"train": len(trainer.train), "test": len(trainer.test)},
        "model": trainer.mlp.to_spec(),
        "parameters": trainer.mlp.num_parameters,
        "metric": trainer.pipeline.metric,
        "runs": [one.as_dict() for one in runs],
        "skipped": skipped,
        "saved": saved,
        "plot": args.plot,
    }
