/** A dialog over the page. The browser keeps the keyboard in it and closes it by Esc; whoever opened it gets the focus back. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icons";

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  kind?: string;
}

export function Modal({ title, onClose, children, kind = "" }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    dialog.current?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      dialog.current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const backdrop = (event: MouseEvent): void => {
    if (event.target === dialog.current) onClose();
  };
  return (
    <dialog ref={dialog} class={`modal ${kind}`} aria-label={title} onCancel={(event) => (event.preventDefault(), onClose())} onMouseDown={backdrop}>
      <div class="modal-inner">
        <header class="modal-head">
          <h2>{title}</h2>
          <button type="button" class="quiet square" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
