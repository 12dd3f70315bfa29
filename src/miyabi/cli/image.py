"""`image`: build it, list what is in the repository."""

from __future__ import annotations

from pathlib import Path

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.session import Session
from miyabi.environment.config import Environment
from miyabi.model.errors import Conflict, InvalidInput


@click.group(context_settings={"help_option_names": ["--help", "-h"]})
def image() -> None:
    """Build the image, or list those in the repository."""


@image.command()
@shared_options
@click.option("--dockerfile", metavar="DIRECTORY", help="Write a Dockerfile and what it needs into a directory.")
@click.option("--tag", help="Push it under this tag (default: the environment's).")
@click.option("--no-push", is_flag=True, help="Build it only.")
@click.pass_obj
def build(session: Session, *, dockerfile: str | None, tag: str | None, no_push: bool) -> None:
    """Build the image from its manifest and push it into the repository."""
    from miyabi.operations.dockerfile import write_dockerfile  # noqa: PLC0415
    from miyabi.operations.images import build_image, publish_image  # noqa: PLC0415
    from miyabi.operations.manifest import read_manifest  # noqa: PLC0415

    output = session.output
    environment = session.environment()
    session.head(environment)
    manifest = _manifest(environment)
    if dockerfile is not None:
        directory = Path(dockerfile)
        if directory.exists() and any(directory.iterdir()):
            raise Conflict(f"{directory} is not empty", hint="Name a directory that does not exist yet.")
        written = write_dockerfile(read_manifest(manifest), manifest.parent, directory)
        output.line(f"{written} written; build it with: docker build {directory}")
        output.result({"dockerfile": str(written)})
        return
    tag = tag or environment.tag
    if no_push:
        bundle = build_image(manifest)
        size = bundle.layer.size_bytes
        output.line(f"{environment.repository}:{tag}  {bundle.digest}  {_size(size)}  built, not pushed")
        output.result({"digest": bundle.digest, "tag": tag, "size_bytes": size, "pushed": False})
        return
    target = session.access().target
    image = publish_image(session.cloud(target), manifest, environment.repository, tag, engine=target.image_engine)
    said = "pushed" if image.changed else "was there already"
    output.line(f"{image.uri}  {image.digest}  {_size(image.size_bytes)}  {said}")
    output.result(
        {
            "uri": image.uri,
            "digest": image.digest,
            "tag": tag,
            "size_bytes": image.size_bytes,
            "pushed": image.changed,
        }
    )


@image.command(name="list")
@shared_options
@click.pass_obj
def list_command(session: Session) -> None:
    """List the images in the repository, newest first."""
    from miyabi.operations.images import list_images  # noqa: PLC0415

    access = session.access()
    images = list_images(session.cloud(access.target), access.environment.repository)
    output = session.output
    if not images:
        output.line(f"no images in repository '{access.environment.repository}'; `miyabi up` pushes the first")
    else:
        rows = [
            (
                ", ".join(one.tags) or "-",
                one.digest[:19],
                _size(one.size_bytes),
                f"{one.pushed_at:%Y-%m-%d %H:%M:%S %Z}",
            )
            for one in images
        ]
        output.table(("TAG", "DIGEST", "SIZE", "PUSHED"), rows)
    output.result({"repository": access.environment.repository, "images": images})


def _manifest(environment: Environment) -> Path:
    if environment.image is None:
        raise InvalidInput(
            f"environment '{environment.name}' names no image manifest",
            hint=f'Set `image = "image.toml"` in {environment.file}.',
        )
    return environment.image


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:.1f} MiB"
